use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ripcord_proto::checkpoint::{CheckpointVerdict, Judgement};
use ripcord_proto::ping::PingId;
use ripcord_proto::policy::{Policy, SingletonKey};
use ripcord_proto::release::{Release, ReleaseDetails, ReleaseEnd, ReleaseState};
use ripcord_proto::rollout::{Attribution, Rollout, RolloutPlan, RolloutState};
use ripcord_proto::{CheckpointName, Position, RolloutId, TargetName};

use super::soak::{ContentAge, Soak, content, due};
use super::{NewCheckpoint, ResolveError, judge, resolve, take};
use crate::checkpoint::soak::NotDue;
use crate::commit::{CommitError, Expected, MissingItem, Operation};
use crate::environment::fixture::{TestNode, author, percent, production};
use crate::rollout::actions;
use crate::store::Store;
use crate::store::backup::Backup;
use crate::store::memory::MemoryStore;

fn taking(name: &str) -> Operation {
    take(NewCheckpoint {
        name: CheckpointName::new(name).unwrap(),
        note: None,
        by: author("ana").actor,
        at: Timestamp::now(),
        judgement: None,
    })
}

fn says(name: &str, verdict: CheckpointVerdict) -> Operation {
    let judgement = Judgement {
        verdict,
        by: author("ana").actor,
        at: Timestamp::now(),
        evidence: None,
        figures: serde_json::Map::new(),
    };
    judge(name.parse().unwrap(), judgement, None)
}

fn policy(vouch_after_seconds: u64) -> Operation {
    let policy = Policy {
        vouch_after_seconds: Some(vouch_after_seconds),
        ..Policy::default()
    };
    Operation::put_record(SingletonKey, policy, Expected::Anything).unwrap()
}

fn release(name: &str, state: ReleaseState) -> Operation {
    let by = author("ana").actor;
    let release = Release {
        name: name.parse().unwrap(),
        baseline: CheckpointName::new("before").unwrap(),
        state,
        at: Timestamp::now(),
        finished: (state == ReleaseState::Finished).then(|| ReleaseEnd {
            by: by.clone(),
            at: Timestamp::now(),
        }),
        by,
        details: ReleaseDetails::default(),
        commits: 0,
        last: None,
    };
    Operation::put_record(release.name.clone(), release, Expected::Anything).unwrap()
}

fn rollout(state: RolloutState) -> Operation {
    let plan = RolloutPlan::parse("flag: a\nvariant: on\nsteps: [{to: 1%, hold: 1s}]\nno_gates: true").unwrap();
    let by = Attribution {
        by: author("ana").actor,
        at: Timestamp::now(),
        reason: None,
    };
    let begun = actions::begun(plan, RolloutId::from_parts(1, 1), by).unwrap();
    Operation::put_record(begun.id.clone(), Rollout { state, ..begun }, Expected::Anything).unwrap()
}

async fn named(node: &TestNode, name: &str) -> Result<Position, ResolveError> {
    let name: TargetName = name.parse().unwrap();
    let resolved = resolve(&node.environments, &production(), &name).await?;
    assert_eq!(resolved.target.hash, resolved.state.hash);
    assert_eq!(resolved.target.position(), resolved.state.head.position());
    Ok(resolved.target.position())
}

#[tokio::test]
async fn a_name_stands_for_a_state_that_proves_itself() {
    let node = TestNode::start().await;
    node.submit(vec![percent("a", 1)]).await.unwrap();
    node.submit(vec![taking("first"), says("first", CheckpointVerdict::Vouched)]).await.unwrap();
    node.submit(vec![percent("a", 2)]).await.unwrap();
    node.submit(vec![percent("b", 3)]).await.unwrap();
    for (name, position) in [
        ("first", "1:1"),
        ("last-known-good", "1:1"),
        ("2", "1:2"),
        ("3", "1:3"),
        ("1:2", "1:2"),
        ("0", "1:0"),
    ] {
        assert_eq!(named(&node, name).await.unwrap().to_string(), position, "{name}");
    }
    assert!(matches!(named(&node, "4").await, Err(ResolveError::Ahead { .. })));
    assert!(matches!(named(&node, "2:1").await, Err(ResolveError::Ahead { .. })));
    assert!(matches!(named(&node, "0:2").await, Err(ResolveError::NoRevision { .. })));
    let Err(ResolveError::Commit(CommitError::NotFound(MissingItem::Checkpoint { nearest, .. }))) = named(&node, "furst").await else {
        panic!("found")
    };
    assert_eq!(nearest, [CheckpointName::new("first").unwrap()]);
}

#[tokio::test]
async fn a_checkpoint_can_be_read_back_after_its_log_was_restored_from_a_backup() {
    let store = Arc::new(MemoryStore::new());
    let node = TestNode::over(Arc::clone(&store) as Arc<dyn Store>).await;
    node.submit(vec![percent("a", 1)]).await.unwrap();
    node.submit(vec![taking("quiet")]).await.unwrap();
    node.submit(vec![percent("a", 2)]).await.unwrap();
    let backup = Backup::take(&*store, Timestamp::now()).await.unwrap();
    let other = Arc::new(MemoryStore::new());
    backup.restore(&*other, "b", Timestamp::now()).await.unwrap();
    let node = TestNode::over(other as Arc<dyn Store>).await;
    let now = node.environments.state(&production()).unwrap();
    assert_eq!(now.head.position(), Position::new(2, 2));
    for (name, position) in [("quiet", "1:1"), ("1", "1:1"), ("2", "2:2"), ("1:2", "1:2")] {
        assert_eq!(named(&node, name).await.unwrap().to_string(), position, "{name}");
    }
    assert!(matches!(named(&node, "2:1").await, Err(ResolveError::NoRevision { .. })));
}

#[tokio::test]
async fn the_content_is_as_old_as_its_last_change_whatever_pings_and_records_came_since() {
    let node = TestNode::start().await;
    node.submit(vec![percent("a", 1)]).await.unwrap();
    let changed = node.submit(vec![percent("a", 2)]).await.unwrap();
    node.submit(vec![taking("quiet")]).await.unwrap();
    node.submit(vec![Operation::Ping(PingId::from_parts(1, 2))]).await.unwrap();
    let state = node.environments.state(&production()).unwrap();
    let found = content(&**node.environments.store(), &state, Timestamp::UNIX_EPOCH).await.unwrap().unwrap();
    assert_eq!(found.first, changed.position);
    assert_eq!(found.since, changed.commit.unwrap().at);
    assert!(state.head.position() > found.first);
    let soon = found.since + SignedDuration::from_secs(60);
    let recent = content(&**node.environments.store(), &state, soon).await.unwrap().unwrap();
    assert!(recent.since < soon, "what is older than the horizon has soaked long enough");
}

#[tokio::test]
async fn an_environment_vouches_for_what_has_soaked_and_that_nobody_doubts() {
    let node = TestNode::start().await;
    let now = Timestamp::now();
    let soak = |seconds: i64, provisional| {
        let state = node.environments.state(&production()).unwrap();
        let content = ContentAge {
            since: now - SignedDuration::from_secs(seconds),
            first: state.head.position(),
        };
        due(&state, content, provisional, now)
    };
    assert_eq!(soak(100, 0), Soak::Not(NotDue::NoPolicy));
    node.submit(vec![policy(60)]).await.unwrap();
    assert_eq!(soak(100, 0), Soak::Not(NotDue::Empty));
    node.submit(vec![percent("a", 1)]).await.unwrap();
    assert_eq!(soak(20, 0), Soak::NotBefore(now + SignedDuration::from_secs(40)));
    assert_eq!(soak(100, 0), Soak::Due { seconds: 100 });
    assert_eq!(soak(100, 1), Soak::Not(NotDue::Killed));
    node.submit(vec![release("web-12", ReleaseState::Open)]).await.unwrap();
    assert_eq!(soak(100, 0), Soak::Not(NotDue::OpenRelease));
    node.submit(vec![release("web-12", ReleaseState::Finished)]).await.unwrap();
    node.submit(vec![rollout(RolloutState::Paused)]).await.unwrap();
    assert_eq!(soak(100, 0), Soak::Not(NotDue::LiveRollout));
    node.submit(vec![rollout(RolloutState::Completed)]).await.unwrap();
    node.submit(vec![taking("auto"), says("auto", CheckpointVerdict::Vouched)]).await.unwrap();
    assert_eq!(soak(100, 0), Soak::Not(NotDue::KnownGood));
    node.submit(vec![says("auto", CheckpointVerdict::Doubted)]).await.unwrap();
    assert_eq!(soak(100, 0), Soak::Not(NotDue::Doubted));
}
