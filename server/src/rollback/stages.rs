//! The stages of a rollback that lowers exposure step by step: how many are left, and where it is.

use ripcord_proto::rollback::{Rollback, Stages};

/// How many commits are left; the target itself is the last.
pub(super) fn remaining(rollback: &Rollback) -> usize {
    rollback
        .ladder
        .as_ref()
        .map_or(0, |stages| (stages.steps.len() + 1).saturating_sub(done(stages)))
}

pub(super) fn done(stages: &Stages) -> usize {
    usize::try_from(stages.done).unwrap_or(usize::MAX)
}

/// Whether the newest commit has been verified.
pub(super) fn is_judged(rollback: &Rollback) -> bool {
    rollback.phases.committed.is_some() && rollback.confirmation.is_some()
}
