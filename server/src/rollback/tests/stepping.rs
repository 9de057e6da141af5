use std::time::Duration;

use jiff::SignedDuration;
use ripcord_proto::rollback::RollbackState;

use super::RollbackWorld;
use crate::environment::fixture::production;
use crate::rollback::actions::{self, ResumePace};

/// A staged rollback whose first stage is committed: `checkout` and `search` are on for everyone, and go down to 50, 25 and 5 percent.
async fn staged(world: &RollbackWorld) -> ripcord_proto::RollbackId {
    world.put("search", 0, &[]).await;
    let good = world.environments.state(&production()).unwrap().head.position();
    world.put("checkout", 100, &[]).await;
    world.put("search", 100, &[]).await;
    world.roll_back(&["checkout", "search"], good, &[50.0, 25.0, 5.0]).await
}

async fn act(
    world: &RollbackWorld,
    id: &ripcord_proto::RollbackId,
    change: impl Fn(&ripcord_proto::rollback::Rollback) -> Result<ripcord_proto::rollback::Rollback, crate::rollback::WrongRollbackState>,
) -> Result<(), crate::rollback::ActionError> {
    let draft = crate::commit::Draft::new(production(), super::author(), Vec::new());
    actions::amend(&world.environments, &draft, id, change).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn a_staged_rollback_goes_down_step_by_step_and_is_confirmed_at_the_target() {
    let world = RollbackWorld::new().await;
    world.run_single_controller();
    let began = world.clock.now();
    let id = staged(&world).await;
    for (done, percent) in [(1, 50), (2, 25), (3, 5), (4, 0)] {
        world.until_it(&id, |rollback| rollback.ladder.as_ref().unwrap().done == done).await;
        assert_eq!((world.percent("checkout"), world.percent("search")), (percent, percent));
        let took = world.clock.now().duration_since(began);
        let due = SignedDuration::from_secs(120 * i64::from(done - 1));
        assert!(took >= due && took < due + SignedDuration::from_secs(2), "step {done} after {took}");
    }
    let confirmed = world.until(&id, RollbackState::Confirmed).await;
    assert_eq!(confirmed.ladder.unwrap().next_at, None);
}

#[tokio::test(start_paused = true)]
async fn a_staged_rollback_stops_and_resumes_when_a_person_says_so() {
    let world = RollbackWorld::new().await;
    world.run_single_controller();
    let id = staged(&world).await;
    world.until_it(&id, |rollback| rollback.ladder.as_ref().unwrap().done == 2).await;
    act(&world, &id, |rollback| actions::stopped(rollback, &production())).await.unwrap();
    tokio::time::sleep(Duration::from_mins(30)).await;
    assert_eq!((world.rollback(&id).state, world.percent("checkout")), (RollbackState::Stopped, 25));
    assert!(act(&world, &id, |rollback| actions::stopped(rollback, &production())).await.is_err());

    act(&world, &id, |rollback| {
        actions::resumed(rollback, ResumePace::Steps, world.clock.now(), &production())
    })
    .await
    .unwrap();
    world.until_it(&id, |rollback| rollback.ladder.as_ref().unwrap().done == 3).await;
    assert_eq!(world.percent("checkout"), 5);
    act(&world, &id, |rollback| {
        actions::resumed(rollback, ResumePace::Now, world.clock.now(), &production())
    })
    .await
    .unwrap();
    let began = world.clock.now();
    world.until(&id, RollbackState::Confirmed).await;
    assert!(world.clock.now().duration_since(began) < SignedDuration::from_secs(2));
    assert_eq!(world.percent("checkout"), 0);
}

#[tokio::test(start_paused = true)]
async fn resuming_now_makes_all_remaining_stages_in_one_commit() {
    let world = RollbackWorld::new().await;
    world.run_single_controller();
    let id = staged(&world).await;
    world.until_it(&id, |rollback| rollback.confirmation.is_some()).await;
    let before = world.rollback(&id).revision;
    act(&world, &id, |rollback| {
        actions::resumed(rollback, ResumePace::Now, world.clock.now(), &production())
    })
    .await
    .unwrap();
    let confirmed = world.until(&id, RollbackState::Confirmed).await;
    assert_eq!(confirmed.revision, before.next());
    assert_eq!(world.percent("search"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_fails_after_a_stage_stops_the_rollback() {
    let world = RollbackWorld::new().await;
    world.run_single_controller();
    let good = world.environments.state(&production()).unwrap().head.position();
    world.put("checkout", 100, &["http://127.0.0.1:9/health"]).await;
    let id = world.roll_back(&["checkout"], good, &[50.0]).await;
    let failed = world.until(&id, RollbackState::Failed).await;
    assert!(
        failed
            .message
            .contains("Stopped after step 1 of 2, 50 %, because a check failed: health of flag checkout"),
        "{}",
        failed.message
    );
    tokio::time::sleep(Duration::from_mins(30)).await;
    assert_eq!(world.percent("checkout"), 50);
    assert!(failed.message.contains(&format!("`ripcord rollback resume {id} --now`")), "{}", failed.message);
}

#[tokio::test(start_paused = true)]
async fn what_a_person_changes_during_a_staged_rollback_is_kept_and_the_rest_goes_on() {
    let world = RollbackWorld::new().await;
    world.run_single_controller();
    let id = staged(&world).await;
    world.until_it(&id, |rollback| rollback.ladder.as_ref().unwrap().done == 2).await;
    world.put("search", 40, &[]).await;
    world.until(&id, RollbackState::Confirmed).await;
    assert_eq!((world.percent("checkout"), world.percent("search")), (0, 40));
}
