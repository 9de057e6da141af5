//! Steps: when they are taken, once each, by whom.

use ripcord_proto::rollout::WaitsFor;

use super::*;
use crate::leader::fixture::FixedNodes;

#[tokio::test(start_paused = true)]
async fn steps_are_taken_when_they_are_due_and_the_last_is_held_to_its_end() {
    let world = RolloutWorld::new().await;
    let id = world.start(&["1% for 10s", "10% for 20s", "100% for 30s"], &json!({"bake": "5s"})).await;
    for (step, percent, second) in [(1, 1, 0), (2, 10, 10), (3, 100, 30)] {
        let rollout = world.until_step(&id, step).await;
        assert_eq!((world.percent("checkout"), world.second()), (percent, second));
        assert_eq!(rollout.state, RolloutState::Holding, "{}", rollout.reason);
    }
    let rollout = world.until(&id, RolloutState::Completed).await;
    assert_eq!(world.second(), 65);
    assert_eq!(rollout.past.iter().map(|past| past.step).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(rollout.position.unwrap(), world.environments.state(&production()).unwrap().snapshot.position);
}

#[tokio::test(start_paused = true)]
async fn every_step_is_one_commit_that_says_what_it_is() {
    let world = RolloutWorld::new().await;
    let before = world.environments.state(&production()).unwrap().head.revision.0;
    let id = world.start(&["1% for 1s", "50% for 1s"], &json!({})).await;
    world.until(&id, RolloutState::Completed).await;
    let state = world.environments.state(&production()).unwrap();
    assert_eq!(state.head.revision.0 - before, 2, "two steps, two revisions");
    let log = crate::store::LogName::Environment(production());
    let entries = world.environments.store().read(&log, ripcord_proto::Sequence(0), 100).await.unwrap();
    let reasons: Vec<_> = entries.iter().filter_map(|entry| entry.commit.reason.clone()).collect();
    assert!(reasons.contains(&format!("rollout {id}: step 2 of 2 (50%) of checkout")), "{reasons:?}");
}

#[tokio::test(start_paused = true)]
async fn a_flag_is_moved_by_one_rollout_at_a_time_and_one_that_cannot_follow_is_refused() {
    let world = RolloutWorld::new().await;
    let id = world.start(&["1% for 1h"], &json!({})).await;
    let refused = world.try_start(&["2% for 1h"], &json!({})).await.unwrap_err();
    assert!(
        matches!(&refused, CommitError::Conflict(StateConflict::InUse { by, .. }) if by.contains(id.as_str())),
        "{refused}"
    );
    let refused = world.try_start(&["2% for 1h"], &json!({"flag": "nothing"})).await.unwrap_err();
    assert!(matches!(refused, CommitError::NotFound(MissingItem::Flag(_))), "{refused}");
    world
        .put(
            "twenty",
            &json!([{"serve": {"split": [{"variant": "on", "weight": "20%"}, {"variant": "off", "weight": "80%"}]}}]),
        )
        .await;
    let refused = world.try_start(&["10% for 1h"], &json!({"flag": "twenty"})).await.unwrap_err();
    let problem = refused.problem();
    assert_eq!((problem.code, &*problem.errors[0].path), (Code::Invalid, "steps[0].to"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_step_waits_for_its_window_and_for_its_beginning() {
    let world = RolloutWorld::new().await;
    let start = world.clock.now() + jiff::SignedDuration::from_secs(600);
    let id = world.start(&["1% for 1s"], &json!({"start_at": start.to_string()})).await;
    world.until(&id, RolloutState::Completed).await;
    assert!((600..=602).contains(&world.second()), "{}", world.second());

    // A window of the coming hours' minute that is not open now.
    let zoned = world.clock.now() + jiff::SignedDuration::from_hours(2);
    let hours = jiff::tz::TimeZone::UTC.to_datetime(zoned);
    let window = json!({"window": {"hours": format!("{:02}:00-{:02}:30", hours.hour(), hours.hour()), "zone": "UTC"}});
    let id = world.start(&["2% for 1s"], &window).await;
    let waiting = world.until(&id, RolloutState::Waiting).await;
    assert_eq!(waiting.waits_for, Some(WaitsFor::Window));
    assert_eq!(world.percent("checkout"), 1);
    world.until_step(&id, 1).await;
    let now = jiff::tz::TimeZone::UTC.to_datetime(world.clock.now());
    assert_eq!((now.hour(), now.minute()), (hours.hour(), 0));
}

#[tokio::test(start_paused = true)]
async fn of_two_nodes_one_leads_and_the_other_goes_on_when_it_is_gone() {
    let world = RolloutWorld::without_controller().await;
    let (of_a, of_b) = (Arc::new(FixedNodes::default()), Arc::new(FixedNodes::default()));
    of_a.alive(&["b"]);
    of_b.alive(&["a"]);
    world.run_controller("a", of_a);
    let id = world.start(&["1% for 10s", "10% for 10s", "50% for 10s"], &json!({})).await;
    world.until_step(&id, 1).await;
    world.run_controller("b", Arc::clone(&of_b) as _);
    world.until_step(&id, 2).await;
    assert_eq!(world.environments.state(&production()).unwrap().records.driver().unwrap().node, "a");
    // Both believe to be alone now: the token says who is right, and no step is taken twice.
    of_b.alive(&[]);
    world.until(&id, RolloutState::Completed).await;
    let state = world.environments.state(&production()).unwrap();
    assert_eq!(state.head.revision.0, 4, "the flag, and three steps");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_goes_away_or_is_reseeded_delays_a_step_and_repeats_none() {
    for fault in [Fault::Away, Fault::Reseeding] {
        let world = RolloutWorld::new().await;
        let id = world.start(&["1% for 10s", "10% for 10s", "50% for 10s"], &json!({})).await;
        world.until_step(&id, 1).await;
        world.store.set(fault);
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(world.rollout(&id).step, 1, "{fault:?}");
        world.store.set(Fault::None);
        world.until_step(&id, 2).await;
        assert!(world.second() < 33, "{fault:?}: {}", world.second());
        world.until(&id, RolloutState::Completed).await;
        let revision = world.environments.state(&production()).unwrap().head.revision.0;
        assert_eq!(revision, 4, "{fault:?}: the flag, and three steps");
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_append_is_in_doubt_is_neither_repeated_nor_skipped() {
    for fault in [Fault::UnknownWritten, Fault::UnknownLost] {
        let world = RolloutWorld::new().await;
        let id = world.start(&["1% for 10s", "10% for 10s", "50% for 10s"], &json!({})).await;
        world.until_step(&id, 1).await;
        tokio::time::sleep(Duration::from_secs(8)).await;
        world.store.set(fault);
        tokio::time::sleep(Duration::from_secs(4)).await;
        world.store.set(Fault::None);
        let rollout = world.until(&id, RolloutState::Completed).await;
        assert_eq!(rollout.past.iter().map(|past| past.step).collect::<Vec<_>>(), [1, 2, 3], "{fault:?}");
        assert_eq!(
            world.environments.state(&production()).unwrap().head.revision.0,
            4,
            "{fault:?}: the flag, and three steps"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_jumps_makes_no_hold_shorter_or_longer() {
    let world = RolloutWorld::new().await;
    let id = world.start(&["1% for 1m", "10% for 1m", "50% for 1m"], &json!({})).await;
    world.until_step(&id, 1).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    world.clock.jump(3_600);
    world.until_step(&id, 2).await;
    assert_eq!(world.second(), 60);
    tokio::time::sleep(Duration::from_secs(10)).await;
    world.clock.jump(-7_200);
    world.until_step(&id, 3).await;
    assert_eq!(world.second(), 120);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_begins_goes_on_with_what_is_left_of_a_hold() {
    let world = RolloutWorld::without_controller().await;
    world.run_controller("a", Arc::new(SingleNode));
    let id = world.start(&["1% for 1m", "10% for 1m"], &json!({})).await;
    world.until_step(&id, 1).await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    // A second process knows the rollout from its record alone; the first is said to be gone, and its token is worth nothing.
    world.run_controller("b", Arc::new(SingleNode));
    world.until_step(&id, 2).await;
    assert!((60..62).contains(&world.second()), "{}", world.second());
}
