//! Gates: what fails, what waits, and what neither passes nor fails.

use ripcord_proto::gate::GateVerdict;
use ripcord_proto::rollback::RollbackScope;
use ripcord_proto::rollout::WaitsFor;

use super::*;

fn errors(more: &Value) -> Value {
    let mut gate = json!({"name": "errors", "outcome": "error", "worse_by": "0.5%", "min_samples": 200, "on_fail": "rollback"});
    gate.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"gates": [gate], "no_gates": false})
}

/// The gate that failed.
fn failed(rollout: &Rollout) -> &str {
    let failed = rollout.gates.iter().find(|reading| reading.verdict == GateVerdict::Fail);
    failed.map_or("none", |reading| &reading.name)
}

#[tokio::test(start_paused = true)]
async fn a_variant_that_goes_wrong_more_often_is_taken_back_with_the_reason() {
    let world = RolloutWorld::new().await;
    world.serves(&[("on", 50, 1), ("off", 50, 1)]);
    let before = world.flag("checkout");
    let id = world.start(&["1% for 1m", "10% for 1h", "100% for 1h"], &errors(&json!({}))).await;
    let rollout = world.until_step(&id, 2).await;
    assert_eq!(rollout.past[0].gates[0].verdict, GateVerdict::Pass, "{:?}", rollout.past[0].gates);
    world.serves(&[("on", 50, 4), ("off", 50, 1)]);
    let rollout = world.until(&id, RolloutState::RolledBack).await;
    assert_eq!((rollout.step, failed(&rollout)), (2, "errors"));
    assert!(world.second() < 60 + 300, "found after {} s", world.second());
    assert_eq!(world.flag("checkout"), before);
    let figures = rollout.gates[0].figures.unwrap();
    assert_eq!(figures.aside, Arm::default(), "synthetic traffic is told apart and does not count");
    assert!(!rollout.past[1].looks[0].looks.is_empty());
    let state = world.environments.state(&production()).unwrap();
    let rollback = state.records.rollbacks.value(rollout.rollback.unwrap().as_str()).unwrap();
    assert_eq!((&rollback.scope, rollback.position()), (&RollbackScope::Rollout(id), rollout.position.unwrap()));
    assert_eq!(rollback.target, rollout.before.unwrap());
    let detail = &rollout.gates[0].detail;
    assert_eq!(rollback.reason, Some(format!("gate errors failed at step 2 of 3 (10%): {detail}")));
}

#[tokio::test(start_paused = true)]
async fn through_a_one_way_door_nothing_goes_back_by_itself() {
    let world = RolloutWorld::new().await;
    let mut flag = serde_json::to_value(world.flag("checkout")).unwrap();
    flag["one_way"] = json!({"from": "on", "reason": "orders are written in the new format"});
    let put = Operation::PutFlag(FlagKey::new("checkout").unwrap(), Box::new(Flag::from_value(&flag).unwrap()));
    world.submit(author("anna", Role::Editor), vec![put]).await.unwrap();
    world.serves(&[("on", 50, 9), ("off", 50, 1)]);
    let id = world.start(&["10% for 1h"], &errors(&json!({}))).await;
    let rollout = world.until(&id, RolloutState::Paused).await;
    assert_eq!((failed(&rollout), &rollout.rollback), ("errors", &None));
    let refused = world.act(&id, RolloutAction::Rollback, author("otto", Role::Oncall)).await.unwrap_err();
    assert_eq!(code(&refused), Code::OneWayDoor, "{refused}");
    assert_eq!(world.percent("checkout"), 10);
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_holds_pauses_and_a_dry_run_does_nothing() {
    let world = RolloutWorld::new().await;
    world.serves(&[("on", 50, 9), ("off", 50, 1)]);
    let id = world.start(&["10% for 1h"], &errors(&json!({"on_fail": "hold"}))).await;
    let rollout = world.until(&id, RolloutState::Paused).await;
    assert_eq!((failed(&rollout), &rollout.rollback), ("errors", &None));
    assert_eq!(world.percent("checkout"), 10);
    world.act(&id, RolloutAction::Abort, author("otto", Role::Oncall)).await.unwrap();

    let mut dry = errors(&json!({"dry_run": true}));
    dry["no_gates"] = json!(true);
    let id = world.start(&["20% for 1m"], &dry).await;
    let rollout = world.until(&id, RolloutState::Completed).await;
    assert_eq!((rollout.gates[0].verdict, rollout.gates[0].dry_run), (GateVerdict::Fail, true));
}

#[tokio::test(start_paused = true)]
async fn a_gate_without_samples_waits_says_so_and_has_failed_after_its_deadline() {
    let world = RolloutWorld::new().await;
    let id = world.start(&["10% for 1m", "50% for 1m"], &errors(&json!({"deadline": "10m"}))).await;
    let waiting = world.until(&id, RolloutState::Waiting).await;
    assert_eq!(waiting.waits_for, Some(WaitsFor::Samples));
    assert_eq!(waiting.gates[0].verdict, GateVerdict::Samples);
    assert!((60..63).contains(&world.second()), "{}", world.second());
    let rollout = world.until(&id, RolloutState::RolledBack).await;
    assert!((660..663).contains(&world.second()), "{}", world.second());
    assert_eq!(rollout.gates[0].verdict, GateVerdict::Samples);
}

#[tokio::test(start_paused = true)]
async fn samples_that_come_late_let_it_go_on() {
    let world = RolloutWorld::new().await;
    let id = world.start(&["10% for 1m", "50% for 1m"], &errors(&json!({}))).await;
    world.until(&id, RolloutState::Waiting).await;
    world.serves(&[("on", 50, 1), ("off", 50, 1)]);
    world.until_step(&id, 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_step_without_a_control_is_compared_with_the_last_one_that_had_one() {
    let world = RolloutWorld::new().await;
    world.serves(&[("on", 50, 1), ("off", 50, 1)]);
    let id = world.start(&["50% for 1m", "100% for 1h"], &errors(&json!({}))).await;
    world.until_step(&id, 2).await;
    world.serves(&[("on", 50, 5), ("off", 0, 0)]);
    let rollout = world.until(&id, RolloutState::RolledBack).await;
    let figures = rollout.gates[0].figures.unwrap();
    assert!(figures.frozen && figures.control.served >= 2_900, "{figures:?}");
    assert_eq!(failed(&rollout), "errors");
}

#[tokio::test(start_paused = true)]
async fn a_prometheus_that_does_not_answer_holds_the_step() {
    let world = RolloutWorld::new().await;
    let gate = json!({"name": "p99", "prometheus": "p99", "url": "http://127.0.0.1:1", "below": 0.8, "on_fail": "rollback"});
    let id = world.start(&["10% for 10s", "50% for 10s"], &json!({"gates": [gate]})).await;
    let waiting = world.until(&id, RolloutState::Waiting).await;
    assert_eq!(waiting.waits_for, Some(WaitsFor::Gate));
    assert_eq!(waiting.gates[0].verdict, GateVerdict::Unknown);
    assert_eq!(world.percent("checkout"), 10);
    // A person decides what the machine cannot.
    world.act(&id, RolloutAction::Advance, author("anna", Role::Editor)).await.unwrap();
    world.until_step(&id, 2).await;
}

#[tokio::test(start_paused = true)]
async fn one_failure_of_a_probe_takes_it_back() {
    let world = RolloutWorld::new().await;
    let gate = json!({"name": "smoke", "probe": {"url": "http://127.0.0.1:1/healthz", "timeout_ms": 100}, "on_fail": "rollback"});
    let id = world.start(&["10% for 1h"], &json!({"gates": [gate]})).await;
    let rollout = world.until(&id, RolloutState::RolledBack).await;
    assert_eq!((rollout.step, failed(&rollout)), (1, "smoke"));
    assert!(world.second() < 3);
    assert_eq!(world.flag("checkout").rules, []);
}

/// A rollout that goes well until the store has this fault, and fails then.
async fn fails_without_the_store(world: &RolloutWorld, fault: Fault) -> RolloutId {
    world.serves(&[("on", 50, 1), ("off", 50, 1)]);
    let id = world.start(&["10% for 1h"], &errors(&json!({}))).await;
    world.until_step(&id, 1).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    world.store.set(fault);
    world.serves(&[("on", 500, 20), ("off", 50, 1)]);
    id
}

/// Whether a kill without the store comes to lie over the flag.
async fn is_killed_provisionally(world: &RolloutWorld) -> bool {
    let board = world.environments.board();
    for _ in 0..600 {
        if board.served("production").unwrap().overlay.kills.values().any(|kill| kill.covers("checkout")) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_silent_keeps_nobody_exposed() {
    let world = RolloutWorld::new().await;
    fails_without_the_store(&world, Fault::Silent).await;
    assert!(is_killed_provisionally(&world).await);
}

#[tokio::test(start_paused = true)]
async fn a_take_back_that_the_store_cannot_take_kills_the_flag_and_is_done_once_it_can() {
    for fault in [Fault::Away, Fault::Reseeding, Fault::UnknownLost, Fault::UnknownWritten] {
        let world = RolloutWorld::new().await;
        let id = fails_without_the_store(&world, fault).await;
        assert!(is_killed_provisionally(&world).await, "{fault:?}");
        world.store.set(Fault::None);
        let rollout = world.until_it(&id, |rollout| rollout.state.is_final()).await;
        assert_eq!(rollout.state, RolloutState::RolledBack, "{fault:?}: {}", rollout.reason);
        assert_eq!(world.flag("checkout").rules, [], "{fault:?}");
        assert_eq!(
            world.environments.state(&production()).unwrap().records.rollbacks.len(),
            1,
            "{fault:?}: taken back once"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_gate_said_before_a_person_let_it_go_on_does_not_hold_it_again() {
    let world = RolloutWorld::new().await;
    world.serves(&[("on", 50, 9), ("off", 50, 1)]);
    let id = world.start(&["10% for 10m", "20% for 1m"], &errors(&json!({"on_fail": "hold"}))).await;
    world.until(&id, RolloutState::Paused).await;
    world.serves(&[("on", 50, 1), ("off", 50, 1)]);
    world.act(&id, RolloutAction::Resume, author("anna", Role::Editor)).await.unwrap();
    let rollout = world.until_step(&id, 2).await;
    assert_eq!(rollout.past[0].gates[0].verdict, GateVerdict::Pass);
}
