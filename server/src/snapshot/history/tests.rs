use proptest::prelude::*;

use super::*;
use crate::snapshot::fixture::Stage;

fn grown(revisions: u64, limits: HistoryLimits) -> (History, Vec<Snapshot>) {
    let mut stage = Stage::new(4);
    let mut history = History::new(limits);
    let mut snapshots = vec![stage.served.snapshot.clone()];
    for round in 0..revisions {
        history.push(stage.put(round % 3 == 0));
        snapshots.push(stage.served.snapshot.clone());
    }
    (history, snapshots)
}

proptest! {
    #[test]
    fn the_combined_delta_leads_to_the_same_snapshot(revisions in 1..40_u64, from in 0..40_usize) {
        let (history, snapshots) = grown(revisions, HistoryLimits::default());
        let from = &snapshots[from % snapshots.len()];
        let last = snapshots.last().unwrap();
        let deltas = history.between(from.position.revision, last.position);
        if let Some(delta) = combined(&deltas) {
            prop_assert_eq!(from.apply(&delta).unwrap().content_hash(), last.content_hash());
        } else {
            prop_assert_eq!(from.position, last.position);
        }
    }
}

#[test]
fn the_oldest_go_when_there_are_too_many() {
    let limits = HistoryLimits { deltas: 5, bytes: usize::MAX };
    let (history, snapshots) = grown(20, limits);
    let last = snapshots.last().unwrap().position;
    assert_eq!(history.between(Revision(16), last).len(), 5);
    assert!(history.between(Revision(15), last).is_empty());
}

#[test]
fn the_oldest_go_when_they_are_too_large() {
    let limits = HistoryLimits {
        deltas: usize::MAX,
        bytes: 1_500,
    };
    let (history, snapshots) = grown(100, limits);
    let last = snapshots.last().unwrap().position;
    assert!(history.bytes <= 1_500);
    assert!(!history.between(Revision(last.revision.0 - 1), last).is_empty());
    assert!(history.between(Revision(50), last).is_empty());
}

#[test]
fn a_gap_ends_what_was_kept() {
    let mut stage = Stage::new(2);
    let mut history = History::new(HistoryLimits::default());
    history.push(stage.put(true));
    stage.put(false);
    history.push(stage.put(true));
    let last = stage.position();
    assert!(history.between(Revision(1), last).is_empty());
    assert_eq!(history.between(Revision(3), last).len(), 1);
}
