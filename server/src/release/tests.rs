use std::collections::BTreeMap;
use std::sync::Arc;

use ripcord_proto::actor::Actor;
use ripcord_proto::digest::Digest;
use ripcord_proto::release::ReleaseDetails;
use ripcord_proto::rest::log::ChangedBy;
use ripcord_proto::rollback::{RollbackId, RollbackScope};
use ripcord_proto::{Epoch, FlagKey, ReleaseName, Revision, Sequence};

use super::changes::of_history;
use super::{NewRelease, begin, touched};
use crate::audit::{ChangeHistory, HistoryEntry};
use crate::commit::reversal::Authorship;
use crate::commit::{CommitError, MissingItem, StateConflict};
use crate::environment::fixture::{TestNode, author, percent, production};

fn name(name: &str) -> ReleaseName {
    ReleaseName::new(name).unwrap()
}

fn beginning(release: &str) -> NewRelease {
    NewRelease {
        name: name(release),
        details: ReleaseDetails::default(),
        by: author("ana").actor,
        at: jiff::Timestamp::now(),
    }
}

fn key(key: &str) -> FlagKey {
    FlagKey::new(key).unwrap()
}

#[tokio::test]
async fn a_release_and_its_baseline_are_one_commit_and_a_name_that_is_taken_gets_a_number() {
    let node = TestNode::start().await;
    node.submit(vec![percent("a", 1)]).await.unwrap();
    let begun = node.submit(vec![begin(beginning("web-1"))]).await.unwrap();
    assert_eq!(begun.commit.unwrap().changes.len(), 2);
    let taken = node.submit(vec![begin(beginning("web-1"))]).await;
    assert!(matches!(taken, Err(CommitError::Conflict(StateConflict::Exists { .. }))), "{taken:?}");
    let state = node.environments.state(&production()).unwrap();
    let before: Vec<_> = state.records.checkpoints.iter().map(|entry| entry.key().to_string()).collect();
    assert_eq!(before, ["before-web-1"], "a release that cannot begin takes no checkpoint");
    assert_eq!(state.records.checkpoints.value("before-web-1").unwrap().sequence, Sequence(1));
    let long = "w".repeat(255);
    node.submit(vec![begin(beginning(&long))]).await.unwrap();
    let alike = format!("{}x", "w".repeat(254));
    node.submit(vec![begin(beginning(&alike))]).await.unwrap();
    let state = node.environments.state(&production()).unwrap();
    assert!(state.records.releases.value(&alike).unwrap().baseline.as_str().ends_with("-2"));
}

#[tokio::test]
async fn what_a_release_touched_is_told_with_what_it_left_and_whose_hands_were_in_it() {
    let node = TestNode::start().await;
    node.submit(vec![percent("a", 1), percent("b", 1), percent("c", 1)]).await.unwrap();
    node.submit(vec![begin(beginning("web-1"))]).await.unwrap();
    let own = async |operations| node.submit_to(Some("web-1"), "ci", operations).await.unwrap();
    own(vec![percent("a", 10), percent("b", 10)]).await;
    node.submit_to(None, "bo", vec![percent("b", 20), percent("c", 20)]).await.unwrap();
    own(vec![percent("b", 30)]).await;
    node.submit_to(None, "cy", vec![percent("a", 40)]).await.unwrap();
    let found = touched(&node.environments, &production(), &name("web-1")).await.unwrap();
    assert_eq!(found.flags.keys().map(FlagKey::as_str).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(found.own.len(), 2);
    let state = node.environments.state(&production()).unwrap();
    let now = |flag: &str| state.snapshot.flags.get(flag).map(|entry| *entry.digest());
    let (a, b) = (&found.flags["a"], &found.flags["b"]);
    assert_eq!(a.left.mixed, Authorship::Own);
    assert_ne!(a.left.digest, now("a"), "somebody has changed it since");
    assert_eq!(a.foreign.iter().map(|by| by.actor.name.as_str()).collect::<Vec<_>>(), ["cy"]);
    assert_eq!(b.left.mixed, Authorship::Others);
    assert_eq!(b.left.digest, now("b"));
    assert_eq!(b.foreign.iter().map(|by| by.actor.name.as_str()).collect::<Vec<_>>(), ["bo"]);
    let unknown = touched(&node.environments, &production(), &name("web-2")).await.unwrap_err();
    assert!(unknown.to_string().contains("web-2"));
    let refused = node.submit_to(Some("web-2"), "ci", vec![percent("a", 2)]).await;
    assert!(matches!(refused, Err(CommitError::NotFound(MissingItem::Release(_)))), "{refused:?}");
}

fn by(sequence: u64, release: Option<&str>) -> Arc<ChangedBy> {
    Arc::new(ChangedBy {
        sequence: Sequence(sequence),
        epoch: Epoch(1),
        revision: Revision(sequence),
        at: jiff::Timestamp::UNIX_EPOCH,
        actor: Actor::server("a"),
        reason: None,
        release: release.map(name),
    })
}

#[test]
fn a_rollback_of_a_release_and_the_way_forward_again_are_its_own_hand() {
    let (back, forward, other) = (RollbackId::from_parts(1, 1), RollbackId::from_parts(2, 2), RollbackId::from_parts(3, 3));
    let change = |sequence, release| HistoryEntry {
        by: by(sequence, release),
        left: Some(Digest::of([[u8::try_from(sequence).unwrap()].as_slice()])),
    };
    let history = ChangeHistory {
        flags: BTreeMap::from([(key("a"), vec![change(1, Some("web-1")), change(2, None), change(3, None), change(4, None)])]),
        segments: BTreeMap::new(),
        rollbacks: BTreeMap::from([
            (Sequence(2), (back.clone(), RollbackScope::Release(name("web-1")))),
            (Sequence(3), (forward, RollbackScope::Rollback(back))),
            (Sequence(4), (other, RollbackScope::Release(name("web-2")))),
        ]),
    };
    let touched = of_history(&history, &name("web-1"));
    let touch = &touched.flags["a"];
    assert_eq!(touch.left.digest, history.flags["a"][2].left);
    assert_eq!(touch.left.mixed, Authorship::Own);
    assert_eq!(touch.foreign.len(), 1);
}
