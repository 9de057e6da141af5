use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use ripcord_proto::rollback::RollbackState;

use super::RollbackWorld;
use crate::environment::fixture::production;
use crate::leader::fixture::FixedNodes;

#[tokio::test(start_paused = true)]
async fn a_node_that_starts_goes_on_from_the_record_and_waits_for_those_who_come_back() {
    let world = RollbackWorld::new().await;
    let good = world.environments.state(&production()).unwrap().head.position();
    world.put("checkout", 100, &[]).await;
    let id = world.roll_back(&["checkout"], good, &[]).await;
    let began = world.clock.now();
    world.run_single_controller();
    let confirmed = world.until(&id, RollbackState::Confirmed).await;
    let took = world.clock.now().duration_since(began);
    assert!((SignedDuration::from_secs(5)..SignedDuration::from_secs(6)).contains(&took), "{took}");
    assert!(confirmed.phases.committed.is_some());
}

#[tokio::test(start_paused = true)]
async fn of_two_nodes_one_leads_and_the_other_goes_on_when_it_is_gone() {
    let world = RollbackWorld::new().await;
    let (of_a, of_b) = (Arc::new(FixedNodes::default()), Arc::new(FixedNodes::default()));
    of_a.alive(&["b"]);
    of_b.alive(&["a"]);
    let lease = world.run_controller("a", of_a.clone());
    lease.hold(&production()).await.unwrap();
    world.run_controller("b", of_b.clone());
    world.put("search", 0, &[]).await;
    let good = world.environments.state(&production()).unwrap().head.position();
    world.put("search", 100, &[]).await;
    let id = world.roll_back(&["search"], good, &[50.0, 25.0]).await;
    world.until_it(&id, |rollback| rollback.ladder.as_ref().unwrap().done == 2).await;

    // Node a is taken for dead although it goes on: it can make no step any more, and none is made twice.
    of_b.alive(&[]);
    of_a.alive(&["b"]);
    let confirmed = world.until(&id, RollbackState::Confirmed).await;
    assert_eq!(confirmed.ladder.unwrap().done, 3);
    assert_eq!(world.percent("search"), 0);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(world.rollback(&id).state, RollbackState::Confirmed);
}
