use std::time::Duration;

use jiff::SignedDuration;
use ripcord_proto::outcome::{OutcomeBatch, OutcomeCount, Traffic};
use ripcord_proto::policy::Policy;
use ripcord_proto::rollback::RollbackState;
use ripcord_proto::{FlagKey, VariantName};

use super::RollbackWorld;
use crate::environment::fixture::production;
use crate::rollback::wait;

#[tokio::test(start_paused = true)]
async fn it_is_confirmed_when_everybody_has_acknowledged_it() {
    let world = RollbackWorld::new().await;
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
    assert!(phases.committed >= phases.decided && phases.applied >= phases.committed);
    assert!(phases.commit_ms.is_some() && phases.applied_p50_ms.is_some() && phases.applied_last_ms.is_some());
    assert_eq!((phases.healthy, phases.healthy_ms), (None, None), "no check said that service is restored");
}

#[tokio::test(start_paused = true)]
async fn with_nobody_connected_it_is_over_at_once_and_claims_no_confirmation() {
    let world = RollbackWorld::new().await;
    world.run_single_controller();
    let good = world.environments.state(&production()).unwrap().head.position();
    world.put("checkout", 100, &[]).await;
    let id = world.roll_back(&["checkout"], good, &[]).await;
    let settled = world.until(&id, RollbackState::Confirmed).await;
    let confirmation = settled.confirmation.unwrap();
    assert!(!confirmation.complete && !confirmation.has_asked());
    assert_eq!((settled.phases.applied, settled.phases.healthy), (None, None));
}

#[tokio::test(start_paused = true)]
async fn an_application_that_was_lost_shortly_before_is_missing() {
    let world = RollbackWorld::new().await;
    world.run_single_controller();
    let (a, lost) = (world.app("checkout-1"), world.app("checkout-2"));
    let good = world.environments.state(&production()).unwrap().head.position();
    world.put("checkout", 100, &[]).await;
    drop(lost);
    let id = world.roll_back(&["checkout"], good, &[]).await;
    world.acknowledge(&a);
    let partial = world.until(&id, RollbackState::Partial).await;
    let confirmation = partial.confirmation.unwrap();
    assert_eq!((confirmation.applied.confirmed, confirmation.applied.connected), (1, 2));
    assert_eq!(
        (confirmation.lost[0].instance.name.as_str(), confirmation.lost[0].missing),
        ("checkout-2", true)
    );
    assert_eq!(confirmation.lost[0].lease_seconds, None);
}

#[tokio::test(start_paused = true)]
async fn who_is_missing_is_named_and_it_is_confirmed_when_they_are_gone() {
    let world = RollbackWorld::new().await;
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
    assert!(confirmed.phases.applied.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_check_that_keeps_failing_is_shown_at_once_and_fails_it_at_the_deadline() {
    let world = RollbackWorld::new().await;
    world.run_single_controller();
    let policy = Policy {
        confirm_within_seconds: Some(20),
        ..Policy::default()
    };
    world.policy(policy).await;
    let good = world.environments.state(&production()).unwrap().head.position();
    // With paused time, what answers in real time has timed out.
    world.put("checkout", 100, &["http://127.0.0.1:9/health"]).await;
    let began = world.clock.now();
    let id = world.roll_back(&["checkout"], good, &[]).await;
    let shown = world.until_it(&id, |rollback| !rollback.checks.is_empty()).await;
    let took = world.clock.now().duration_since(began);
    assert!(took < SignedDuration::from_secs(15), "{took}");
    assert_eq!(shown.state, RollbackState::Committed);
    assert!(!shown.checks[0].passed && shown.checks[0].name == "health" && !shown.checks[0].detail.is_empty());
    assert!(shown.phases.committed.is_some() && shown.phases.healthy.is_none() && shown.confirmation.is_some());
    assert_eq!(shown.bad_exposure, None, "not counted yet");
    let failed = world.until(&id, RollbackState::Failed).await;
    assert!(!failed.checks[0].passed && failed.checks[0].of == "flag checkout");
    assert!(failed.message.contains(&format!("`ripcord rollback resume {id}`")), "{}", failed.message);
    assert_eq!(failed.phases.healthy, None);
    assert!(failed.bad_exposure.is_some());
}

/// Reports evaluations of `checkout`, two of them with an error.
fn report(world: &RollbackWorld, number: u64, variant: &str, evaluations: u64) {
    let batch = OutcomeBatch {
        instance_id: "a1".to_owned(),
        batch: number,
        counts: vec![OutcomeCount {
            flag: FlagKey::new("checkout").unwrap(),
            variant: Some(VariantName::new(variant).unwrap()),
            traffic: Traffic::Real,
            evaluations,
            successes: 0,
            errors: 2,
            latencies_us: Vec::new(),
            numbers: std::collections::BTreeMap::new(),
        }],
    };
    let snapshot = world.environments.state(&production()).unwrap().snapshot.clone();
    world.outcomes.count(&production(), "key", &batch, &snapshot, world.clock.now());
}

#[tokio::test(start_paused = true)]
async fn how_often_the_bad_state_was_served_counts_from_its_commit_on_and_only_what_the_rollback_lowers() {
    let world = RollbackWorld::new().await;
    world.run_single_controller();
    report(&world, 1, "on", 1_000);
    tokio::time::sleep(Duration::from_mins(1)).await;
    let good = world.environments.state(&production()).unwrap().head.position();
    world.put("checkout", 50, &[]).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    report(&world, 2, "on", 30);
    report(&world, 3, "off", 5_000);
    let id = world.roll_back(&["checkout"], good, &[]).await;
    let settled = world.until(&id, RollbackState::Confirmed).await;
    let bad = settled.bad_exposure.unwrap();
    assert_eq!((bad.real, bad.errors_real, bad.synthetic), (30, 2, 0));
    assert!(!settled.message.contains("only available since"), "{}", settled.message);
}
