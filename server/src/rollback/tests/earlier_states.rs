//! Reading a state back replays the log since a state was stored. So a rollback goes by what its node has in memory: here the log gives none.

use ripcord_proto::checkpoint::{CheckpointVerdict, Judgement};
use ripcord_proto::{CheckpointName, TargetName};

use super::*;
use crate::checkpoint::{self, NewCheckpoint};
use crate::rollback::{self, RollbackSpec};
use crate::store::fault_injection::Fault;

impl RollbackWorld {
    /// A known-good checkpoint of the environment as it is.
    async fn vouch(&self, name: &str) {
        let (name, by, at) = (CheckpointName::new(name).unwrap(), author().actor, self.clock.now());
        let judgement = Judgement {
            verdict: CheckpointVerdict::Vouched,
            by: by.clone(),
            at,
            evidence: None,
            figures: serde_json::Map::new(),
        };
        let taken = NewCheckpoint {
            name,
            note: None,
            by,
            at,
            judgement: Some(judgement),
        };
        self.submit(vec![checkpoint::take(taken)]).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn bad_exposure_is_counted_by_the_states_that_the_node_has_seen() {
    let world = RollbackWorld::new().await;
    let good = world.environments.state(&production()).unwrap().head.position();
    world.put("checkout", 100, &[]).await;
    let id = world.roll_back(&["checkout"], good, &[]).await;
    // The end of the log is no longer the state after the rollback.
    world.put("search", 10, &[]).await;
    world.store.set(Fault::NoEarlierStates);
    world.run_single_controller();
    let confirmed = world.until(&id, RollbackState::Confirmed).await;
    assert!(confirmed.bad_exposure.is_some());
}

#[tokio::test(start_paused = true)]
async fn the_steps_of_a_rollback_read_its_target_once() {
    let world = RollbackWorld::new().await;
    world.run_single_controller();
    let good = world.environments.state(&production()).unwrap().head.position();
    world.put("checkout", 100, &[]).await;
    let id = world.roll_back(&["checkout"], good, &[50.0, 25.0, 5.0]).await;
    world.until_it(&id, |rollback| rollback.ladder.as_ref().unwrap().done == 2).await;
    world.store.set(Fault::NoEarlierStates);
    world.put("search", 10, &[]).await;
    let confirmed = world.until(&id, RollbackState::Confirmed).await;
    assert_eq!((confirmed.ladder.unwrap().done, world.percent("checkout")), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn the_newest_known_good_checkpoint_and_what_a_rollback_undoes_are_at_hand() {
    let world = RollbackWorld::new().await;
    world.vouch("quiet-evening").await;
    world.put("checkout", 100, &[]).await;
    world.put("search", 10, &[]).await;
    world.store.set(Fault::NoEarlierStates);
    let spec = RollbackSpec {
        to: Some(TargetName::LastKnownGood),
        scope: RollbackScope::Environment,
        segment: None,
        steps: Vec::new(),
        every_seconds: 0,
        options: ripcord_proto::rollback::RollbackOptions::default(),
        acknowledged: BTreeSet::new(),
        acknowledged_checks: BTreeSet::new(),
        reason: Some("a test".to_owned()),
        detected: None,
    };
    let prepared = rollback::prepare(&world.environments, &production(), &author(), &spec).await.unwrap();
    let id = prepared.reversal.record.id.clone();
    world.submit(vec![Operation::Rollback(Box::new(prepared.reversal))]).await.unwrap();
    assert_eq!(world.percent("checkout"), 0);

    let undo = RollbackSpec {
        to: None,
        scope: RollbackScope::Rollback(id),
        ..spec
    };
    let prepared = rollback::prepare(&world.environments, &production(), &author(), &undo).await.unwrap();
    world.submit(vec![Operation::Rollback(Box::new(prepared.reversal))]).await.unwrap();
    assert_eq!(world.percent("checkout"), 100);
}

#[tokio::test(start_paused = true)]
async fn what_no_record_names_any_more_is_dropped_and_the_rest_is_bounded() {
    let world = RollbackWorld::new().await;
    let (mut ids, mut before) = (Vec::new(), Vec::new());
    for number in 0..20 {
        let key = format!("flag-{number}");
        let good = world.put(&key, 0, &[]).await;
        world.put(&key, 100, &[]).await;
        let id = world.roll_back(&[&key], good, &[]).await;
        before.push(world.rollback(&id).before);
        ids.push(id);
    }
    let kept = || {
        let state = world.environments.state(&production()).unwrap();
        before.iter().filter(|position| state.in_memory(**position).is_some()).count()
    };
    assert!((2..=16).contains(&kept()), "{}", kept());
    world.run_single_controller();
    for id in &ids {
        world.until(id, RollbackState::Confirmed).await;
    }
    assert_eq!(kept(), 1, "that of the newest rollback, which may be undone");
}
