use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ripcord_proto::rest::health::{HealthCode, PartHealth, ReadyState};

use super::{behind_part, mirror_part, peers_part, store_part};
use crate::peer::{Behind, PeerReachability, Verdict};
use crate::store::{Head, LogName, StoreHealth, StoreState};

fn store(state: StoreState) -> StoreHealth {
    StoreHealth {
        state,
        why: "connection refused".to_owned(),
        ..StoreHealth::available(Timestamp::UNIX_EPOCH)
    }
}

fn after(state: StoreState, fresher: Option<&str>, seconds: i64) -> PartHealth {
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
    store_part(&store(state), fresher, now, Duration::from_mins(10))
}

#[test]
fn a_store_that_is_away_degrades_a_node_and_takes_it_out_only_if_a_fresher_one_is_known() {
    assert_eq!(after(StoreState::Available, None, 10_000).state, ReadyState::Ready);
    for state in [StoreState::Unreachable, StoreState::RefusesWrites, StoreState::Reseeding] {
        assert_eq!(after(state, None, 10).state, ReadyState::Degraded);
        assert_eq!(after(state, Some("b"), 10).state, ReadyState::Degraded);
        assert_eq!(after(state, None, 100_000).state, ReadyState::Degraded, "the kill path stays");
        assert_eq!(after(state, Some("b"), 601).state, ReadyState::NotReady);
    }
}

#[test]
fn the_true_cause_is_said_as_a_code() {
    let health = StoreHealth {
        code: Some(HealthCode::StoreReadOnly),
        ..store(StoreState::RefusesWrites)
    };
    let part = store_part(&health, None, Timestamp::UNIX_EPOCH, Duration::from_mins(10));
    assert_eq!(part.code, Some(HealthCode::StoreReadOnly));
    assert_eq!(after(StoreState::Unreachable, None, 1).code, Some(HealthCode::StoreUnreachable));
    assert_eq!(mirror_part("no space").state, ReadyState::NotReady);
}

#[test]
fn a_node_that_is_known_to_be_behind_is_not_ready() {
    let fresh = store(StoreState::Available);
    assert!(behind_part(&Verdict::default(), &fresh).is_none());
    let behind = Behind {
        log: LogName::System,
        own: Head::START,
        theirs: Head::START,
        node: "b".to_owned(),
    };
    let verdict = Verdict {
        behind: Some(behind),
        ..Verdict::default()
    };
    assert_eq!(behind_part(&verdict, &fresh).unwrap().code, Some(HealthCode::Behind));
    let catching_up = StoreHealth { behind: true, ..fresh };
    assert_eq!(behind_part(&Verdict::default(), &catching_up).unwrap().state, ReadyState::NotReady);
}

#[test]
fn a_part_that_is_not_well_says_why() {
    let part = after(StoreState::Unreachable, None, 0);
    assert!(part.why.contains("connection refused") && part.why.contains("kills work"), "{}", part.why);
    let reached = PeerReachability {
        reached: Vec::new(),
        not_reached: vec!["http://b".to_owned()],
    };
    assert!(peers_part(&reached).why.contains("http://b"));
}
