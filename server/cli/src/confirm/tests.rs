use ripcord_proto::Epoch;
use ripcord_proto::confirmation::{Instance, MissingInstance};

use super::*;

fn confirmation(connected: u64, confirmed: u64) -> Confirmation {
    Confirmation {
        epoch: Epoch(1),
        revision: Some(Revision(42)),
        kill: None,
        complete: connected == confirmed && connected > 0,
        applied: LevelCounts {
            connected,
            confirmed,
            p50_ms: Some(3.96),
            max_ms: Some(12.4),
            ..LevelCounts::default()
        },
        fetched: LevelCounts::default(),
        sent: LevelCounts::default(),
        nodes: vec!["a".to_owned()],
        nodes_not_reached: Vec::new(),
        lost: Vec::new(),
        lost_total: 0,
    }
}

fn missing(name: &str, lost: bool) -> MissingInstance {
    MissingInstance {
        instance: Instance {
            name: name.to_owned(),
            id: "1".to_owned(),
            sdk: "ripcord-rust/0.1.0".to_owned(),
            node: "a".to_owned(),
        },
        revision: Some(Revision(41)),
        lost,
    }
}

const PATIENCE: Duration = Duration::from_secs(2);

#[test]
fn all_confirmed_is_told_with_the_slowest_and_the_median() {
    insta::assert_snapshot!(describe(&confirmation(5, 5), PATIENCE, Paint::Plain), @"Confirmed by 5 of 5 applications in 12 ms (half of them in 4.0 ms).");
}

#[test]
fn nobody_connected_is_told_as_such() {
    insta::assert_snapshot!(describe(&confirmation(0, 0), PATIENCE, Paint::Plain), @"No application is connected, so none has confirmed it.");
}

#[test]
fn the_missing_are_named_and_nodes_that_were_not_reached_too() {
    let mut confirmation = confirmation(5, 2);
    confirmation.applied.missing = vec![missing("checkout-7f9c", false), missing("checkout-1b2d", true)];
    confirmation.nodes_not_reached = vec!["b".to_owned()];
    confirmation.sent.connected = 1;
    confirmation.sent.confirmed = 1;
    insta::assert_snapshot!(describe(&confirmation, PATIENCE, Paint::Plain), @r"
    2 of 5 applications confirmed within 2 s.
    Sent to 1 of 1 reader that cannot confirm.
    The applications of these nodes are not counted, because the nodes could not be reached: b.
      missing        runs         connection  node
      checkout-7f9c  revision 41  open        a
      checkout-1b2d  revision 41  lost        a
      and 1 more application
    These may still serve the old variants. Restart them, or check again with `ripcord doctor`.
    ");
}

#[test]
fn the_exit_code_says_whether_it_was_confirmed_in_time() {
    assert_eq!(exit(Some(&confirmation(5, 5)), PATIENCE), Exit::Done);
    assert_eq!(exit(Some(&confirmation(5, 4)), PATIENCE), Exit::Unconfirmed);
    assert_eq!(exit(Some(&confirmation(5, 4)), Duration::ZERO), Exit::Done);
    assert_eq!(exit(None, PATIENCE), Exit::Done);
}
