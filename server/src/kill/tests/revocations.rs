//! Revocations among peers: in force on a node that its store cannot tell.

use ripcord_proto::change::{Change, KeyRecord};

use super::*;
use crate::commit::Outcome;
use crate::store::{LogName, Store as _};
use crate::system::{REVOCATIONS, SystemDraft, SystemOperation};

const KEY: &str = "key_leaked";

fn record(id: &str) -> KeyRecord {
    KeyRecord {
        id: id.to_owned(),
        name: "checkout".to_owned(),
        role: Role::Sdk,
        environments: vec![production()],
        hash: Digest::of([id.as_bytes()]),
        created: jiff::Timestamp::UNIX_EPOCH,
    }
}

impl KillNode {
    async fn system(&self, operation: SystemOperation) -> Outcome {
        let draft = SystemDraft {
            author: author(Role::Admin),
            reason: None,
            operations: vec![operation],
            call: None,
            renderer: Renderer::default(),
        };
        self.environments.submit_system(draft).await.unwrap()
    }

    fn holds_valid(&self, id: &str) -> bool {
        let system = self.environments.system();
        system.keys.contains_key(id) || system.key_by_hash(&Digest::of([id.as_bytes()])).is_some()
    }

    /// How often the log says that the key is revoked.
    async fn logged(&self, id: &str) -> usize {
        let entries = self.store.read(&LogName::System, Sequence(0), 100).await.unwrap();
        let changes = entries.iter().flat_map(|entry| entry.commit.changes.clone());
        changes.filter(|change| matches!(change, Change::RevokeKey(revoked) if revoked == id)).count()
    }
}

/// Two nodes over one store, which does not tell either of them what the other writes; a key that both know, and that `b` has revoked.
async fn two_nodes() -> (KillNode, KillNode) {
    let a = KillNode::start().await;
    a.system(SystemOperation::CreateKey(record(KEY))).await;
    let b = KillNode::over(Arc::clone(&a.store), Journal::in_memory()).await;
    assert!(a.holds_valid(KEY) && b.holds_valid(KEY));
    b.system(SystemOperation::RevokeKey(KEY.to_owned())).await;
    (a, b)
}

/// What `b` answers to `a`, as it goes over the wire.
fn answer(a: &KillNode, b: &KillNode) -> PeerSync {
    let answer = b.kills.message(Some(&a.kills.message(None)));
    serde_json::from_str(&serde_json::to_string(&answer).unwrap()).unwrap()
}

#[tokio::test]
async fn a_key_that_a_peer_knows_to_be_revoked_stops_working_here_and_the_log_says_so_once() {
    let (a, b) = two_nodes().await;
    let told = answer(&a, &b);
    a.kills.take_in(&told).await;
    assert!(a.holds_valid(KEY), "while the store is there, its feed brings it");
    a.store.set(Fault::Away);
    a.kills.take_in(&told).await;
    assert!(!a.holds_valid(KEY));
    a.eventually("the journal", |a| a.journal.revoked().contains(KEY)).await;
    a.kills.take_in(&told).await;
    assert_eq!(a.journal.revoked().len(), 1, "once is enough");
    assert!(
        b.kills.message(Some(&a.kills.message(None))).revoked.contains(&KEY.to_owned()),
        "it is told until the log here says so"
    );
    a.store.set(Fault::None);
    a.eventually("the log", |a| a.journal.revoked().is_empty()).await;
    assert!(!a.holds_valid(KEY));
    assert_eq!(a.logged(KEY).await, 1);
    assert_eq!(answer(&a, &b).revoked, Vec::<String>::new(), "both logs end in the same place");
}

#[tokio::test]
async fn a_node_passes_on_what_no_log_says_yet() {
    let (a, b) = two_nodes().await;
    a.store.set(Fault::Away);
    a.kills.take_in(&answer(&a, &b)).await;
    let third = a.kills.message(Some(&a.kills.message(None)));
    assert_eq!(third.revoked, [KEY], "whoever reaches only this node learns of it too");
}

#[tokio::test]
async fn a_node_with_logs_of_its_own_revokes_nothing_here_and_neither_does_one_of_an_older_version() {
    let (a, b) = two_nodes().await;
    a.store.set(Fault::Away);
    let mut stranger = answer(&a, &b);
    stranger.history = Some(Digest::of([b"theirs".as_slice()]));
    a.kills.take_in(&stranger).await;
    let mut silent = answer(&a, &b);
    silent.system = None;
    a.kills.take_in(&silent).await;
    assert!(a.holds_valid(KEY));
    assert_eq!(
        b.kills.message(Some(&silent)).revoked,
        Vec::<String>::new(),
        "nothing is sent to a node that says nothing of its log"
    );
}

#[tokio::test]
async fn a_peer_cannot_fill_this_node_with_revocations() {
    let (a, b) = two_nodes().await;
    a.store.set(Fault::Away);
    let mut flood = answer(&a, &b);
    flood.revoked = (0..REVOCATIONS + 100)
        .map(|number| format!("key_{number}"))
        .chain(["x".repeat(1_000)])
        .collect();
    let news = a.environments.system().unknown_revocations(&flood.revoked);
    assert_eq!(news.len(), REVOCATIONS);
    a.environments.refuse_keys(news).await;
    let system = a.environments.system();
    assert_eq!(system.unknown_revocations(&flood.revoked).len(), 0);
    let last = KEY.to_owned();
    assert_eq!(system.unknown_revocations([&last]).len(), 1, "a key that is valid here is always revoked");
    assert_eq!(system.revoked_since(system.head).len(), REVOCATIONS, "what is passed on is bounded as well");
}
