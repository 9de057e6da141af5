use std::time::Duration;

use jiff::SignedDuration;
use ripcord_proto::outcome::{OutcomeBatch, OutcomeCount, Traffic};
use ripcord_proto::policy::Policy;
use ripcord_proto::rollback::RollbackState;
use ripcord_proto::{FlagKey, VariantName};

use super::World;
use crate::environment::fixture::production;
use crate::rollback::wait;

#[tokio::test(start_paused = true)]
async fn it_is_confirmed_when_everybody_has_acknowledged_it() {
    let world = World::new().await;
    world.run_single_controller();
    let (a, b) = (world.app("checkout-1"), world.app("checkout-2"));
    let good = world.environments.state(&production()).unwrap().head.position();
    world.put("checkout", 100, &[]).await;
    world.acknowledge(&a);
    world.acknowledge(&b);
    let id = world.roll_back(&["checkout"], good, &[]).await;
    world.acknowledge(&a);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let waiting = world.rollback(&id);
    assert_eq!(waiting.state, RollbackState::Committed);
    world.acknowledge(&b);

    let settled = wait::settled(&world.environments, &production(), &id, Duration::from_secs(30))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(settled.state, RollbackState::Confirmed, "{}", settled.message);
    let confirmation = settled.confirmation.unwrap();
    assert_eq!((confirmation.applied.confirmed, confirmation.applied.connected), (2, 2));
    let phases = settled.phases;
    assert!(phases.committed >= phases.decided && phases.applied >= phases.committed && phases.healthy >= phases.committed);
    assert!(phases.commit_ms.is_some() && phases.applied_p50_ms.is_some() && phases.applied_last_ms.is_some() && phases.healthy_ms.is_some());
    assert!(settled.message.contains("2 connected applications"), "{}", settled.message);
}

#[tokio::test(start_paused = true)]
async fn with_nobody_connected_it_is_confirmed_at_once() {
    let world = World::new().await;
    world.run_single_controller();
    let good = world.environments.state(&production()).unwrap().head.position();
    world.put("checkout", 100, &[]).await;
    let id = world.roll_back(&["checkout"], good, &[]).await;
    let settled = world.until(&id, RollbackState::Confirmed).await;
    assert!(settled.message.starts_with("No connected application"), "{}", settled.message);
}

#[tokio::test(start_paused = true)]
async fn who_is_missing_is_named_and_it_is_confirmed_when_they_are_gone() {
    let world = World::new().await;
    world.run_single_controller();
    let (a, silent) = (world.app("checkout-1"), world.app("reports-7"));
    let good = world.environments.state(&production()).unwrap().head.position();
    world.put("checkout", 100, &[]).await;
    let began = world.clock.now();
    let id = world.roll_back(&["checkout"], good, &[]).await;
    world.acknowledge(&a);
    let partial = world.until(&id, RollbackState::Partial).await;
    let took = world.clock.now().duration_since(began);
    assert!((SignedDuration::from_secs(30)..SignedDuration::from_secs(31)).contains(&took), "{took}");
    assert!(
        partial.message.contains("1 of 2 applications") && partial.message.contains("Missing: reports-7."),
        "{}",
        partial.message
    );
    assert!(partial.message.contains(&format!("`ripcord rollback wait {id}`")), "{}", partial.message);
    assert_eq!(partial.phases.applied, None);
    assert_eq!(partial.phases.healthy, None);

    silent.left();
    let confirmed = world.until(&id, RollbackState::Confirmed).await;
    assert_eq!(confirmed.confirmation.unwrap().applied.connected, 1);
    assert!(confirmed.phases.healthy.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_check_that_keeps_failing_until_the_deadline_fails_it() {
    let world = World::new().await;
    world.run_single_controller();
    let policy = Policy {
        confirm_within_seconds: Some(3),
        ..Policy::default()
    };
    world.policy(policy).await;
    let good = world.environments.state(&production()).unwrap().head.position();
    // With paused time, what answers in real time has timed out.
    world.put("checkout", 100, &["http://127.0.0.1:9/health"]).await;
    let id = world.roll_back(&["checkout"], good, &[]).await;
    let failed = world.until(&id, RollbackState::Failed).await;
    assert!(failed.message.contains("health of flag checkout"), "{}", failed.message);
    assert!(failed.message.contains(&format!("`ripcord rollback resume {id}`")), "{}", failed.message);
    assert_eq!(failed.phases.healthy, None);
    assert!(failed.phases.applied.is_some());
}

#[tokio::test(start_paused = true)]
async fn how_often_the_bad_state_was_served_counts_from_its_commit_on() {
    let world = World::new().await;
    world.run_single_controller();
    let report = |batch: u64, evaluations: u64| {
        let batch = OutcomeBatch {
            instance_id: "a1".to_owned(),
            batch,
            counts: vec![OutcomeCount {
                flag: FlagKey::new("checkout").unwrap(),
                variant: Some(VariantName::new("on").unwrap()),
                traffic: Traffic::Real,
                evaluations,
                successes: 0,
                errors: 2,
                latencies_us: Vec::new(),
                numbers: std::collections::BTreeMap::new(),
            }],
        };
        let snapshot = world.environments.state(&production()).unwrap().snapshot.clone();
        world.outcomes.count(&production(), &batch, &snapshot, world.clock.now());
    };
    report(1, 1_000);
    tokio::time::sleep(Duration::from_mins(1)).await;
    let good = world.environments.state(&production()).unwrap().head.position();
    world.put("checkout", 100, &[]).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    report(2, 30);
    let id = world.roll_back(&["checkout"], good, &[]).await;
    let settled = world.until(&id, RollbackState::Confirmed).await;
    assert_eq!(
        (settled.bad_exposure.real, settled.bad_exposure.errors_real, settled.bad_exposure.synthetic),
        (30, 2, 0)
    );
    assert!(!settled.message.contains("only available since"), "{}", settled.message);
}
