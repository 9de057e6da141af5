//! What a write's `If-Match` and `If-None-Match` mean for what it writes.

use ripcord_proto::problem::Code;
use ripcord_proto::{FlagKey, SegmentKey};

use crate::commit::Precondition;
use crate::http::ApiError;
use crate::http::precondition::Condition;

/// The precondition on a flag.
pub(super) fn of_flag(condition: Condition, key: &FlagKey) -> Option<Precondition> {
    match condition {
        Condition::Unconditional => None,
        Condition::At(position) => Some(Precondition::Flag(key.clone(), position)),
        Condition::Present => Some(Precondition::SomeFlag(key.clone())),
        Condition::Absent => Some(Precondition::NoFlag(key.clone())),
    }
}

/// The precondition on a segment.
pub(super) fn of_segment(condition: Condition, key: &SegmentKey) -> Option<Precondition> {
    match condition {
        Condition::Unconditional => None,
        Condition::At(position) => Some(Precondition::Segment(key.clone(), position)),
        Condition::Present => Some(Precondition::SomeSegment(key.clone())),
        Condition::Absent => Some(Precondition::NoSegment(key.clone())),
    }
}

/// The precondition on an environment, which always exists here.
pub(super) fn of_environment(condition: Condition) -> Result<Option<Precondition>, ApiError> {
    match condition {
        Condition::Unconditional | Condition::Present => Ok(None),
        Condition::At(position) => Ok(Some(Precondition::Environment(position))),
        Condition::Absent => Err(ApiError::new(
            Code::BadRequest,
            "If-None-Match is not possible here. Send If-Match with the environment's ETag, or neither.",
        )),
    }
}
