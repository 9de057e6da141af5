use std::sync::Arc;
use std::time::Duration;

use super::*;

fn report(node: &str, millis: &[u64], connected: u64) -> ConfirmationReport {
    let mut times = ConfirmationTimes::default();
    for (number, millis) in millis.iter().enumerate() {
        let who = Instance {
            name: format!("{node}-{number}"),
            id: number.to_string(),
            sdk: "test/1".to_owned(),
            node: node.to_owned(),
        };
        times.add(Duration::from_millis(*millis), &Arc::new(who));
    }
    let none = ConfirmationTimes::default();
    let mut report = ConfirmationReport::new(node, Position::new(1, 9), [&times, &none, &none]);
    report.applied.connected = connected;
    report.applied.confirmed = millis.len() as u64;
    report
}

fn target() -> ConfirmationTarget {
    ConfirmationTarget::Revision(Position::new(1, 9))
}

#[test]
fn several_nodes_are_counted_together() {
    let own = report("a", &[10, 20, 30], 3);
    let other = report("b", &[40, 50, 60, 70], 4);
    let sum = merge(&target(), own, vec![PeerAnswer::Reported(Box::new(other))]);
    assert!(sum.complete);
    assert_eq!((sum.applied.connected, sum.applied.confirmed), (7, 7));
    assert!((sum.applied.p50_ms.unwrap() - 40.0).abs() < 0.5, "{:?}", sum.applied.p50_ms);
    assert_eq!(sum.applied.max_ms, Some(70.0));
    assert_eq!(sum.applied.slowest.unwrap().node, "b");
    assert_eq!(sum.nodes, ["a", "b"]);
}

#[test]
fn a_node_that_was_not_reached_is_named_and_nothing_is_complete_without_it() {
    let sum = merge(&target(), report("a", &[10], 1), vec![PeerAnswer::NotReached("b".to_owned())]);
    assert!(!sum.complete);
    assert_eq!(sum.nodes_not_reached, ["b"]);
}

#[test]
fn if_nobody_was_asked_nothing_is_complete_and_nothing_is_left_to_wait_for() {
    let sum = merge(&target(), report("a", &[], 0), vec![]);
    assert!(!sum.complete && sum.is_settled());
    assert_eq!(sum.applied.p50_ms, None);
}

#[test]
fn a_report_survives_the_way_between_nodes() {
    let own = report("a", &[10, 20], 3);
    let json = serde_json::to_string(&own).unwrap();
    assert_eq!(serde_json::from_str::<ConfirmationReport>(&json).unwrap(), own);
}

fn lost(node: &str, number: usize, missing: bool) -> LostMember {
    LostMember {
        key: "key".to_owned(),
        application: LostApplication {
            instance: Instance {
                name: "shop".to_owned(),
                id: format!("{node}-{number}"),
                sdk: "test/1".to_owned(),
                node: node.to_owned(),
            },
            at: jiff::Timestamp::UNIX_EPOCH,
            revision: None,
            missing,
            lease_seconds: None,
        },
    }
}

fn arrival(id: &str, name: &str) -> Arrival {
    Arrival {
        id: id.to_owned(),
        key: "key".to_owned(),
        name: name.to_owned(),
    }
}

#[test]
fn an_application_that_moved_to_another_node_is_not_lost() {
    let mut own = report("a", &[10], 3);
    own.lost = vec![lost("a", 1, true), lost("a", 2, true), lost("a", 3, false)];
    own.lost_total = 3;
    let mut other = report("b", &[20], 1);
    other.arrivals = vec![arrival("a-1", "shop"), arrival("new", "shop"), arrival("newer", "till")];
    let sum = merge(&target(), own.clone(), vec![PeerAnswer::Reported(Box::new(other))]);
    assert!(sum.complete, "{sum:?}");
    assert_eq!((sum.applied.connected, sum.applied.confirmed), (2, 2));
    assert_eq!(sum.lost.iter().map(|lost| lost.instance.id.as_str()).collect::<Vec<_>>(), ["a-3"]);
    assert_eq!(sum.lost_total, 1);
    let alone = merge(&target(), own, vec![]);
    assert_eq!((alone.complete, alone.lost_total), (false, 3));
}
