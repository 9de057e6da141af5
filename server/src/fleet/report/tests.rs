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
fn nobody_connected_is_complete() {
    let sum = merge(&target(), report("a", &[], 0), vec![]);
    assert!(sum.complete);
    assert_eq!(sum.applied.p50_ms, None);
}

#[test]
fn a_report_survives_the_way_between_nodes() {
    let own = report("a", &[10, 20], 3);
    let json = serde_json::to_string(&own).unwrap();
    assert_eq!(serde_json::from_str::<ConfirmationReport>(&json).unwrap(), own);
}
