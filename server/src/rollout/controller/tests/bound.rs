//! Rollouts of one release move and go back together.

use ripcord_proto::rollout::WaitsFor;

use super::*;

async fn two(world: &RolloutWorld) -> [RolloutId; 2] {
    world.put("other", &json!([])).await;
    // The release need not be known for its rollouts to be bound; joining it is the commit's affair.
    let first = world.start(&["10% for 10s", "50% for 10s"], &json!({"release": "web-1"})).await;
    let second = world
        .start(&["10% for 30s", "50% for 10s"], &json!({"release": "web-1", "flag": "other"}))
        .await;
    [first, second]
}

async fn release(world: &RolloutWorld) {
    let release = json!({"name": "web-1", "baseline": "before-web-1", "state": "open", "by": {"name": "p", "role": "pipeline"},
        "at": world.clock.now(), "commits": 0});
    let release: ripcord_proto::release::Release = serde_json::from_value(release).unwrap();
    let put = Operation::put_record(release.name.clone(), release, Expected::Absent).unwrap();
    world.submit(author("anna", Role::Editor), vec![put]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_faster_one_waits_and_both_step_in_one_commit() {
    let world = RolloutWorld::new().await;
    release(&world).await;
    let [first, second] = two(&world).await;
    let waiting = world.until(&first, RolloutState::Waiting).await;
    assert_eq!(waiting.waits_for, Some(WaitsFor::Release));
    assert_eq!(
        waiting.reason,
        format!("step 2 of 2 (50%) starts together with the other rollouts of its release; waiting for rollout {second} of other")
    );
    world.until_step(&first, 2).await;
    assert_eq!(world.rollout(&first).position, world.rollout(&second).position, "one commit");
    assert_eq!((world.percent("checkout"), world.percent("other")), (50, 50));
}

#[tokio::test(start_paused = true)]
async fn they_go_back_together() {
    let world = RolloutWorld::new().await;
    release(&world).await;
    let [first, second] = two(&world).await;
    world.until_step(&second, 2).await;
    world.act(&first, RolloutAction::Rollback, author("otto", Role::Oncall)).await.unwrap();
    let (first, second) = (world.rollout(&first), world.rollout(&second));
    assert_eq!((first.state, second.state), (RolloutState::RolledBack, RolloutState::RolledBack));
    assert_eq!(first.position, second.position);
    assert!(first.rollback.is_some());
    assert_eq!(first.rollback, second.rollback, "one rollback of both");
}
