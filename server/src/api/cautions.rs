//! What is valid and cannot work, as the answers to writes and plans warn of it.

use ripcord_proto::change::Change;
use ripcord_proto::{Flag, FlagKey, Segment, SegmentKey};

/// Most warnings of one answer.
const LISTED: usize = 50;

/// Of the flags and segments that a commit has put.
pub(super) fn written(changes: &[Change]) -> Vec<String> {
    let of = |change: &Change| {
        if let Change::PutFlag(entry) = change {
            entry.value().map(|flag| of_flag(entry.key(), flag)).unwrap_or_default()
        } else if let Change::PutSegment(entry) = change {
            entry.value().map(|segment| of_segment(entry.key(), segment)).unwrap_or_default()
        } else {
            Vec::new()
        }
    };
    changes.iter().flat_map(of).take(LISTED).collect()
}

/// Of the flags and segments that a plan would put.
pub(super) fn planned<'a>(flags: impl Iterator<Item = (&'a FlagKey, &'a Flag)>, segments: impl Iterator<Item = (SegmentKey, Segment)>) -> Vec<String> {
    let of_flags = flags.flat_map(|(key, flag)| of_flag(key, flag));
    let of_segments = segments.flat_map(|(key, segment)| of_segment(&key, &segment));
    of_flags.chain(of_segments).take(LISTED).collect()
}

fn of_flag(key: &FlagKey, flag: &Flag) -> Vec<String> {
    flag.cautions().into_iter().map(|caution| format!("{key}: {caution}.")).collect()
}

fn of_segment(key: &SegmentKey, segment: &Segment) -> Vec<String> {
    segment.cautions().into_iter().map(|caution| format!("Segment {key}: {caution}.")).collect()
}
