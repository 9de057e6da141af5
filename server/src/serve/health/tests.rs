use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ripcord_proto::rest::health::ReadyState;

use super::{peers_part, store_part};
use crate::peer::PeerReachability;
use crate::store::{StoreHealth, StoreState};

fn store(state: StoreState) -> StoreHealth {
    StoreHealth {
        state,
        since: Timestamp::UNIX_EPOCH,
        why: "connection refused".to_owned(),
        warnings: Vec::new(),
    }
}

fn after(state: StoreState, seconds: i64) -> ReadyState {
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
    store_part(&store(state), now, Duration::from_mins(10)).state
}

#[test]
fn a_store_that_is_away_degrades_a_node_and_takes_it_out_after_a_stated_time() {
    assert_eq!(after(StoreState::Available, 10_000), ReadyState::Ready);
    assert_eq!(after(StoreState::Unreachable, 10), ReadyState::Degraded);
    assert_eq!(after(StoreState::Unreachable, 601), ReadyState::NotReady);
    assert_eq!(after(StoreState::Reseeding, 10), ReadyState::Degraded);
}

#[test]
fn a_part_that_is_not_well_says_why() {
    let told = store_part(&store(StoreState::Unreachable), Timestamp::UNIX_EPOCH, Duration::from_mins(10));
    assert!(told.why.contains("connection refused") && told.why.contains("kills work"), "{}", told.why);
    let reached = PeerReachability {
        reached: Vec::new(),
        not_reached: vec!["http://b".to_owned()],
    };
    assert!(peers_part(&reached).1.contains("http://b"));
}
