//! Preconditions (`If-Match`): what a caller changes must not have changed since the caller read it.

use ripcord_proto::{FlagKey, Position, SegmentKey};

use super::draft::{Draft, Precondition};
use super::error::{CommitError, StateConflict};
use super::state::EnvironmentState;

/// Refuses a draft whose precondition no longer holds.
pub(super) fn check(draft: &Draft, state: &EnvironmentState) -> Result<(), CommitError> {
    let Some(precondition) = &draft.precondition else { return Ok(()) };
    let flag = |key: &FlagKey| state.snapshot.flags.get(key.as_str()).map(|entry| entry.changed());
    let segment = |key: &SegmentKey| state.snapshot.segments.get(key.as_str()).map(|entry| entry.changed());
    let (what, expected, current) = match precondition {
        Precondition::Environment(expected) => (format!("environment {}", draft.environment), Some(*expected), Some(state.head.position())),
        Precondition::Flag(key, expected) => (format!("flag {key}"), Some(*expected), flag(key)),
        Precondition::Segment(key, expected) => (format!("segment {key}"), Some(*expected), segment(key)),
        Precondition::SomeFlag(key) => (format!("flag {key}"), flag(key).or(Some(Position::START)), flag(key)),
        Precondition::SomeSegment(key) => (format!("segment {key}"), segment(key).or(Some(Position::START)), segment(key)),
        Precondition::NoFlag(key) => (format!("flag {key}"), None, flag(key)),
        Precondition::NoSegment(key) => (format!("segment {key}"), None, segment(key)),
    };
    if expected == current {
        return Ok(());
    }
    Err(CommitError::Conflict(StateConflict::Stale {
        what,
        current: current.unwrap_or_else(|| state.head.position()),
    }))
}
