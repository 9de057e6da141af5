mod revocations;

use ripcord_proto::digest::Digest;
use ripcord_proto::frame::{KillEnd, Overlay};
use ripcord_proto::key::Tag;
use ripcord_proto::kill::AllFlags;
use ripcord_proto::role::Role;
use ripcord_proto::table::Entity;
use ripcord_proto::{Flag, FlagKey, KillId, KillScope, Position, Sequence};
use serde_json::value::to_raw_value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::provisional::overlay_from;
use super::{KillDurability, KillInForce, KillOrder, KillOutcome, Kills, RestoreOutcome};
use crate::commit::{
    Applied, Author, CommitError, Draft, GuardRefusal, IdempotentCall, InvalidDraft, KilledEdit, MissingItem, Operation, RenderedAnswer, Renderer, StoreFailure,
};
use crate::environment::Environments;
use crate::environment::fixture::{EnvironmentsBuilder, author_as, production, staging_that_does_not_load};
use crate::peer::{PeerLog, PeerSync, Peers};
use crate::snapshot::publication::Served;
use crate::store::Head;
use crate::store::fault_injection::{Fault, FaultyStore};
use crate::store::journal::{Journal, JournalRecord};
use crate::store::memory::MemoryStore;

fn author(role: Role) -> Author {
    author_as("ada", role)
}

/// A node: environments, kills and a store that fails on command.
struct KillNode {
    store: Arc<FaultyStore<MemoryStore>>,
    environments: Environments,
    kills: Kills,
    journal: Journal,
}

impl KillNode {
    async fn start() -> Self {
        Self::over(FaultyStore::new(MemoryStore::new()), Journal::in_memory()).await
    }

    async fn over(store: Arc<FaultyStore<MemoryStore>>, journal: Journal) -> Self {
        let overlays = journal.clone();
        let environments = EnvironmentsBuilder::new()
            .store(store.clone())
            .overlays(Arc::new(move |key| overlay_from(&overlays, key)))
            .start()
            .await;
        let peers = Peers::new(Vec::new(), None, None);
        let kills = Kills::start(environments.clone(), journal.clone(), peers, "a".to_owned());
        Self {
            store,
            environments,
            kills,
            journal,
        }
    }

    fn served(&self) -> Arc<Served> {
        self.environments.board().served("production").unwrap()
    }

    fn variant(&self, flag: &str) -> Option<String> {
        let served = self.served();
        let context = ripcord_sdk::engine::Context::new("user-1");
        let detail = served.compiled.evaluate(flag, &context, ripcord_sdk::engine::SinceContact::FRESH);
        detail.variant().map(ToString::to_string)
    }

    async fn submit(&self, role: Role, operations: Vec<Operation>) -> Result<Applied, CommitError> {
        self.environments.commit(draft(role, operations)).await
    }

    async fn put(&self, key: &str, tags: &str) {
        self.submit(Role::Editor, vec![put(key, tags)]).await.unwrap();
    }

    async fn kill(&self, scope: KillScope) -> KillOutcome {
        self.kills.kill(order(scope)).await.unwrap()
    }

    /// A message of the node `b`, whose log ends at `at`, with these kills in force in it.
    async fn hear(&self, at: Position, overlay: Overlay, committed: &[KillId]) {
        let own = self.environments.heads();
        let head = Head {
            epoch: at.epoch,
            revision: at.revision,
            sequence: Sequence(at.revision.0),
            chain: Digest::of(["b".as_bytes()]),
        };
        let message = PeerSync {
            node: "b".to_owned(),
            history: own.history,
            store_current: true,
            anchored: true,
            system: Some(Head::START),
            revoked: Vec::new(),
            environments: vec![PeerLog {
                environment: production(),
                head: Some(head),
                overlay,
                committed: Some(committed.iter().map(ripcord_kill).collect()),
                ended: BTreeSet::new(),
            }],
        };
        self.kills.take_in(&message).await;
    }

    async fn hear_provisional(&self, id: &KillId) {
        let kills = [(id.clone(), ripcord_kill(id))].into();
        self.hear(Position::START, Overlay { kills, ..Overlay::default() }, &[]).await;
    }

    async fn eventually(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..500 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what} did not come true");
    }
}

fn draft(role: Role, operations: Vec<Operation>) -> Draft {
    Draft {
        reason: Some("test".to_owned()),
        ..Draft::new(production(), author(role), operations)
    }
}

fn order(scope: KillScope) -> KillOrder {
    KillOrder {
        id: None,
        environment: production(),
        author: author(Role::Oncall),
        scope,
        future: true,
        reason: Some("5xx spike".to_owned()),
        call: None,
        renderer: Renderer::new(|killed: &KillInForce| RenderedAnswer {
            status: 201,
            body: to_raw_value(&serde_json::json!({"id": killed.kill.id})).unwrap(),
        }),
    }
}

fn flag_json(tags: &str, safe: &str) -> String {
    format!(r#"{{"enabled": true, "tags": [{tags}], "variants": {{"on": true, "off": false}}, "default": "on", "safe": "{safe}", "rules": []}}"#)
}

fn put(key: &str, tags: &str) -> Operation {
    Operation::PutFlag(FlagKey::new(key).unwrap(), Box::new(Flag::parse(&flag_json(tags, "off")).unwrap()))
}

fn flag(key: &str) -> KillScope {
    KillScope::Flag(FlagKey::new(key).unwrap())
}

fn restore(id: &KillId) -> Draft {
    draft(Role::Oncall, vec![Operation::Restore(id.clone())])
}

fn id_of(outcome: &KillOutcome) -> KillId {
    match outcome {
        KillOutcome::InForce(killed) => killed.kill.id.clone(),
        KillOutcome::Replayed(recorded) => {
            let body: serde_json::Value = serde_json::from_str(recorded.answer.get()).unwrap();
            KillId::new(body["id"].as_str().unwrap()).unwrap()
        }
    }
}

fn durability(outcome: &KillOutcome) -> KillDurability {
    let KillOutcome::InForce(killed) = outcome else { panic!("{outcome:?}") };
    killed.durability
}

#[tokio::test]
async fn a_killed_flag_serves_its_safe_variant_until_it_is_restored() {
    let node = KillNode::start().await;
    node.put("checkout", "").await;
    assert_eq!(node.variant("checkout").as_deref(), Some("on"));
    let outcome = node.kill(flag("checkout")).await;
    assert_eq!(node.variant("checkout").as_deref(), Some("off"));
    assert_eq!(durability(&outcome), KillDurability::Committed(Position::new(1, 2)));
    node.kills.restore(id_of(&outcome), restore(&id_of(&outcome))).await.unwrap();
    assert_eq!(node.variant("checkout").as_deref(), Some("on"));
}

#[tokio::test]
async fn killing_a_scope_again_answers_with_the_kill_in_force() {
    let node = KillNode::start().await;
    node.put("checkout", "").await;
    let (first, second) = (node.kill(flag("checkout")).await, node.kill(flag("checkout")).await);
    assert_eq!(id_of(&first), id_of(&second));
    assert_eq!(node.served().snapshot.position, Position::new(1, 2), "the second kill made no revision");
}

#[tokio::test]
async fn no_edit_lifts_a_kill_not_even_untagging_deletion_and_re_creation() {
    let node = KillNode::start().await;
    node.put("checkout", r#""payments""#).await;
    node.kill(KillScope::Tag(Tag::new("payments").unwrap())).await;
    node.put("late", r#""payments""#).await;
    assert_eq!(node.variant("late").as_deref(), Some("off"), "a flag tagged later is covered");
    node.put("late", "").await;
    assert_eq!(node.variant("late").as_deref(), Some("off"), "untagging does not lift it");
    let delete = Draft {
        killed_edit: KilledEdit::Accept,
        ..draft(Role::Editor, vec![Operation::DeleteFlag(FlagKey::new("late").unwrap())])
    };
    node.environments.submit(delete).await.unwrap();
    node.put("late", "").await;
    assert_eq!(node.variant("late").as_deref(), Some("off"), "nor does making it anew");
}

#[tokio::test]
async fn a_kill_of_everything_covers_flags_made_later() {
    let node = KillNode::start().await;
    node.kill(KillScope::All(AllFlags)).await;
    node.put("new", "").await;
    assert_eq!(node.variant("new").as_deref(), Some("off"));
}

#[tokio::test]
async fn a_pipeline_may_not_change_a_killed_flag_and_a_person_may_prepare_the_mend() {
    let node = KillNode::start().await;
    node.put("checkout", "").await;
    node.kill(flag("checkout")).await;
    let refused = node.submit(Role::Pipeline, vec![put("checkout", r#""x""#)]).await;
    assert!(matches!(refused, Err(CommitError::Guard(GuardRefusal::Killed { .. }))));
    node.submit(Role::Pipeline, vec![put("checkout", "")]).await.unwrap();
    node.submit(Role::Editor, vec![put("checkout", r#""x""#)]).await.unwrap();
    let other_safe = || Operation::PutFlag(FlagKey::new("checkout").unwrap(), Box::new(Flag::parse(&flag_json("", "on")).unwrap()));
    assert!(matches!(
        node.submit(Role::Editor, vec![other_safe()]).await,
        Err(CommitError::Guard(GuardRefusal::Killed { .. }))
    ));
    let knowing = Draft {
        killed_edit: KilledEdit::Accept,
        ..draft(Role::Editor, vec![other_safe()])
    };
    node.environments.submit(knowing).await.unwrap();
}

#[tokio::test]
async fn an_edit_that_cannot_be_made_whole_changes_nothing() {
    let node = KillNode::start().await;
    node.put("checkout", "").await;
    let bad = vec![put("other", ""), Operation::DeleteFlag(FlagKey::new("missing").unwrap())];
    assert!(matches!(node.submit(Role::Editor, bad).await, Err(CommitError::NotFound(MissingItem::Flag(_)))));
    assert_eq!(node.served().snapshot.flags.len(), 1);
}

#[tokio::test]
async fn a_kill_without_the_store_takes_effect_and_is_merged_when_it_is_back() {
    for fault in [Fault::Away, Fault::Reseeding, Fault::Silent, Fault::UnknownLost, Fault::UnknownWritten] {
        let node = KillNode::start().await;
        node.put("checkout", "").await;
        node.store.set(fault);
        let outcome = node.kill(flag("checkout")).await;
        assert_eq!(durability(&outcome), KillDurability::Journaled, "{fault:?}");
        assert_eq!(node.variant("checkout").as_deref(), Some("off"), "{fault:?}");
        if fault == Fault::Silent {
            continue;
        }
        node.store.set(Fault::None);
        let id = id_of(&outcome);
        node.eventually("the merge", |node| node.served().snapshot.kills.get(id.as_str()).is_some())
            .await;
        node.eventually("the end of the overlay", |node| node.served().overlay.ended.get(&id) == Some(&KillEnd::Merged))
            .await;
        node.eventually("an empty journal", |node| node.journal.pending().is_empty()).await;
        assert_eq!(node.variant("checkout").as_deref(), Some("off"), "{fault:?}");
        assert_eq!(node.served().snapshot.kills.len(), 1, "an id enters the log once: {fault:?}");
    }
}

#[tokio::test]
async fn a_withdrawn_kill_lifts_here_and_never_enters_the_log() {
    let node = KillNode::start().await;
    node.put("checkout", "").await;
    node.store.set(Fault::Away);
    let id = id_of(&node.kill(flag("checkout")).await);
    assert!(matches!(node.kills.restore(id.clone(), restore(&id)).await, Ok(RestoreOutcome::Withdrawn(_))));
    assert_eq!(node.variant("checkout").as_deref(), Some("on"));
    node.store.set(Fault::None);
    node.eventually("the end in the log", |node| {
        node.environments.state(&production()).unwrap().ended_kills.contains(&id)
    })
    .await;
    node.hear(Position::START, Overlay::default(), &[]).await;
    node.hear_provisional(&id).await;
    assert_eq!(node.variant("checkout").as_deref(), Some("on"), "a peer cannot bring it back");
}

fn ripcord_kill(id: &KillId) -> ripcord_proto::Kill {
    ripcord_proto::Kill {
        id: id.clone(),
        scope: flag("checkout"),
        reason: None,
        actor: author(Role::Oncall).actor,
        at: jiff::Timestamp::now(),
        flags: std::collections::BTreeSet::new(),
    }
}

#[tokio::test]
async fn two_provisional_kills_of_one_scope_both_merge_and_a_restore_lifts_only_its_own() {
    let node = KillNode::start().await;
    node.put("checkout", "").await;
    node.store.set(Fault::Away);
    let own = id_of(&node.kill(flag("checkout")).await);
    let theirs = KillId::from_parts(1, 7);
    node.hear_provisional(&theirs).await;
    node.store.set(Fault::None);
    node.eventually("both merges", |node| node.served().snapshot.kills.len() == 2).await;
    node.kills.restore(own.clone(), restore(&own)).await.unwrap();
    assert_eq!(node.variant("checkout").as_deref(), Some("off"));
    node.kills.restore(theirs.clone(), restore(&theirs)).await.unwrap();
    assert_eq!(node.variant("checkout").as_deref(), Some("on"));
}

#[tokio::test]
async fn a_provisional_kill_survives_a_restart_of_its_node() {
    let node = KillNode::start().await;
    node.put("checkout", "").await;
    node.store.set(Fault::Away);
    let id = id_of(&node.kill(flag("checkout")).await);
    let again = KillNode::over(Arc::clone(&node.store), node.journal.clone()).await;
    assert_eq!(again.variant("checkout").as_deref(), Some("off"));
    assert!(again.served().overlay.kills.contains_key(&id));
}

#[tokio::test]
async fn a_repeated_call_gets_the_first_answer_and_changes_nothing() {
    let node = KillNode::start().await;
    node.put("checkout", "").await;
    let call = |body: &str| IdempotentCall {
        caller: "k".to_owned(),
        route: "POST kills".to_owned(),
        key: "1".to_owned(),
        request: ripcord_proto::digest::Digest::of([body.as_bytes()]),
    };
    let ask = |body: &str| KillOrder {
        id: None,
        call: Some(call(body)),
        ..order(flag("checkout"))
    };
    let first = node.kills.kill(ask("a")).await.unwrap();
    let id = id_of(&first);
    node.kills.restore(id.clone(), restore(&id)).await.unwrap();
    let again = node.kills.kill(ask("a")).await.unwrap();
    assert!(matches!(again, KillOutcome::Replayed(_)) && id_of(&again) == id);
    assert_eq!(node.variant("checkout").as_deref(), Some("on"), "the repeat did not kill again");
    assert!(matches!(
        node.kills.kill(ask("b")).await,
        Err(CommitError::Invalid(InvalidDraft::IdempotencyMismatch))
    ));
    let restarted = KillNode::over(Arc::clone(&node.store), Journal::in_memory()).await;
    let over_a_restart = restarted.kills.kill(ask("a")).await.unwrap();
    assert!(matches!(over_a_restart, KillOutcome::Replayed(_)), "it is remembered over a restart");
}

#[tokio::test]
async fn a_write_in_doubt_is_applied_once_or_not_at_all() {
    for (fault, written) in [(Fault::UnknownWritten, true), (Fault::UnknownLost, false)] {
        let node = KillNode::start().await;
        node.store.set(fault);
        assert!(matches!(
            node.submit(Role::Editor, vec![put("checkout", "")]).await,
            Err(CommitError::Store(StoreFailure::OutcomeUnknown))
        ));
        node.store.set(Fault::None);
        node.eventually("the settlement", |node| node.served().snapshot.flags.len() == usize::from(written) || !written)
            .await;
        node.put("next", "").await;
        assert_eq!(node.served().snapshot.flags.get("checkout").is_some(), written);
    }
}

#[tokio::test]
async fn an_id_that_was_restored_never_enters_the_log_again() {
    let node = KillNode::start().await;
    node.put("checkout", "").await;
    let id = id_of(&node.kill(flag("checkout")).await);
    node.kills.restore(id.clone(), restore(&id)).await.unwrap();
    node.submit(Role::Oncall, vec![Operation::Merge(Box::new(ripcord_kill(&id)))]).await.unwrap();
    assert_eq!(node.served().snapshot.kills.len(), 0);
    assert_eq!(node.variant("checkout").as_deref(), Some("on"));
}

#[tokio::test]
async fn a_write_that_the_store_cannot_take_says_that_the_store_is_away() {
    for fault in [Fault::Away, Fault::Reseeding, Fault::UnknownLost, Fault::UnknownWritten] {
        let node = KillNode::start().await;
        node.put("checkout", "").await;
        node.store.set(fault);
        let failed = node.submit(Role::Editor, vec![put("checkout", r#""x""#)]).await.unwrap_err();
        assert!(failed.is_store_away(), "{fault:?}: {failed}");
    }
}

#[tokio::test]
async fn a_kill_that_is_committed_elsewhere_takes_effect_on_a_node_that_is_cut_off() {
    let node = KillNode::start().await;
    node.put("checkout", "").await;
    let theirs = KillId::from_parts(1, 7);
    node.hear(Position::new(1, 9), Overlay::default(), std::slice::from_ref(&theirs)).await;
    assert_eq!(node.variant("checkout").as_deref(), Some("on"), "while the store is there, the feed brings it");
    node.store.set(Fault::Away);
    node.hear(Position::new(1, 9), Overlay::default(), std::slice::from_ref(&theirs)).await;
    assert_eq!(node.variant("checkout").as_deref(), Some("off"));
    let own = id_of(&node.kill(KillScope::All(AllFlags)).await);
    node.kills.restore(own.clone(), restore(&own)).await.unwrap();
    assert_eq!(
        node.variant("checkout").as_deref(),
        Some("off"),
        "a withdrawal lifts only the kill that it names"
    );
    let refused = node.kills.restore(theirs.clone(), restore(&theirs)).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreFailure::Unavailable(_)))), "{refused:?}");
}

#[tokio::test]
async fn a_kill_that_only_memory_held_is_journaled_when_the_disk_takes_it() {
    let node = KillNode::start().await;
    node.put("checkout", "").await;
    node.store.set(Fault::Away);
    node.journal.fill_disk(true);
    let KillOutcome::InForce(killed) = node.kill(flag("checkout")).await else {
        panic!("a kill that was made before")
    };
    assert_eq!(killed.durability, KillDurability::Memory);
    assert_eq!(node.variant("checkout").as_deref(), Some("off"));
    node.journal.fill_disk(false);
    node.eventually("the journal", |node| node.journal.holds(&killed.kill.id)).await;
    let KillOutcome::InForce(again) = node.kill(flag("checkout")).await else {
        panic!("a kill that was made before")
    };
    assert_eq!(again.durability, KillDurability::Journaled, "the answer says so");
}

#[tokio::test]
async fn a_provisional_kill_of_an_environment_that_is_not_loaded_yet_is_not_forgotten() {
    let node = KillNode::start().await;
    let staging = staging_that_does_not_load(&node.environments, &node.store).await;
    let refused = node
        .kills
        .kill(KillOrder {
            environment: staging.clone(),
            ..order(flag("checkout"))
        })
        .await
        .unwrap_err();
    assert!(matches!(refused, CommitError::Store(StoreFailure::NotReady(_))), "{refused}");
    let id = KillId::from_parts(1, 9);
    let taken = JournalRecord::Taken {
        environment: staging.clone(),
        kill: ripcord_kill(&id),
        node: "a".to_owned(),
        answered: None,
    };
    node.journal.append(&taken).unwrap();
    node.kills.merge(node.journal.pending().remove(0)).await;
    assert_eq!(node.journal.pending().len(), 1, "it waits for its environment");
    node.store.set(Fault::None);
    let is_merged = |node: &KillNode| {
        node.environments
            .state(&staging)
            .is_ok_and(|state| state.snapshot.kills.get(id.as_str()).is_some())
    };
    node.eventually("the merge", is_merged).await;
}
