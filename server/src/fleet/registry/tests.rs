use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::*;
use crate::fleet::wait::WaitProgress;
use crate::fleet::{NoPeers, Transport};
use crate::snapshot::fixture::Stage;

fn member(name: &str) -> NewMember {
    NewMember {
        name: name.to_owned(),
        id: format!("id-{name}"),
        key: "key".to_owned(),
        sdk: "test/1".to_owned(),
        position: Some(Position::new(1, 1)),
        acknowledges: true,
        transport: Transport::WebSocket,
    }
}

#[tokio::test]
async fn a_wait_ends_when_the_last_has_confirmed() {
    let mut stage = Stage::new(1);
    let fleet = Fleet::new(&stage.board, FleetSettings::new("node-1"), Arc::new(NoPeers));
    let environment = stage.environment();
    let (one, other) = (fleet.join(&environment, member("one")), fleet.join(&environment, member("other")));
    stage.put(true);
    let at = Position::new(1, 2);
    one.acknowledged(at, &[], Instant::now());
    let progress = WaitProgress::new(None);
    let mut seen = progress.subscribe();
    let target = ConfirmationTarget::Revision(at);
    let waiting = fleet.wait(&environment, &target, Duration::from_secs(20), Some(&progress));
    let acknowledging = async {
        seen.changed().await.unwrap();
        assert_eq!(seen.borrow().as_ref().unwrap().applied.confirmed, 1);
        other.acknowledged(at, &[], Instant::now());
    };
    let (confirmation, ()) = tokio::join!(waiting, acknowledging);
    assert!(confirmation.unwrap().complete);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_the_time_is_up_and_names_who_is_missing() {
    let mut stage = Stage::new(1);
    let fleet = Fleet::new(&stage.board, FleetSettings::new("node-1"), Arc::new(NoPeers));
    let environment = stage.environment();
    let _silent = fleet.join(&environment, member("silent"));
    stage.put(true);
    let target = ConfirmationTarget::Revision(Position::new(1, 2));
    let confirmation = fleet.wait(&environment, &target, Duration::from_millis(20), None).await.unwrap();
    assert!(!confirmation.complete);
    assert_eq!(confirmation.applied.missing[0].instance.name, "silent");
}

struct Unreachable;

impl PeerConfirmations for Unreachable {
    fn ask<'a>(&'a self, _: &'a EnvironmentKey, _: &'a ConfirmationTarget, _: Duration) -> BoxFuture<'a, Vec<PeerAnswer>> {
        Box::pin(std::future::ready(vec![PeerAnswer::NotReached("node-2".to_owned())]))
    }
}

#[tokio::test]
async fn a_node_that_cannot_be_asked_is_named() {
    let mut stage = Stage::new(1);
    let fleet = Fleet::new(&stage.board, FleetSettings::new("node-1"), Arc::new(Unreachable));
    stage.put(true);
    let target = ConfirmationTarget::Revision(Position::new(1, 2));
    let confirmation = fleet.confirmation(&stage.environment(), &target, Duration::ZERO).await.unwrap();
    assert!(!confirmation.complete);
    assert_eq!(confirmation.nodes_not_reached, ["node-2"]);
    let unknown = ConfirmationTarget::Revision(Position::new(1, 3));
    assert!(fleet.confirmation(&stage.environment(), &unknown, Duration::ZERO).await.is_none());
}

#[test]
fn who_is_connected_is_shown_by_name() {
    let stage = Stage::new(1);
    let fleet = Fleet::new(&stage.board, FleetSettings::new("node-1"), Arc::new(NoPeers));
    let environment = stage.environment();
    let member = fleet.join(&environment, member("a"));
    let shown = fleet.connections(&environment);
    assert_eq!(
        (shown[0].instance.name.as_str(), shown[0].confirmed, shown[0].lost),
        ("a", Some(Position::new(1, 1)), false)
    );
    drop(member);
    assert!(fleet.connections(&environment)[0].lost);
}
