//! Jobs that run beside the loop of a controller, and their results.

use ripcord_proto::RolloutId;
use ripcord_proto::check::CheckOutcome;
use ripcord_proto::duration::HumanDuration;

use crate::commit::CommitError;
use crate::outcome::reports::NodeSums;

/// The result of a job that ran beside the loop.
pub(super) enum JobResult {
    Gate(GateAnswer),
    Commit(CommitResult),
}

/// A gate of a step that was read.
#[derive(Debug, Clone)]
pub(super) struct GateQuery {
    pub(super) id: RolloutId,
    /// The step: an answer that arrives after it is dropped.
    pub(super) step: u32,
    pub(super) gate: usize,
    pub(super) held: HumanDuration,
}

/// An answer of gates.
pub(super) enum GateAnswer {
    /// Of a query.
    Value(GateQuery, Result<f64, String>),
    /// Of a probe.
    Probe(GateQuery, Option<CheckOutcome>),
    /// Of all comparisons that were due at once; each has two series, from its place on.
    Sums(Vec<(GateQuery, usize)>, Vec<NodeSums>),
}

/// A commit and its result.
pub(super) struct CommitResult {
    pub(super) ids: Vec<RolloutId>,
    pub(super) what: CommitKind,
    pub(super) result: Result<(), CommitError>,
}

/// What a commit was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommitKind {
    Record,
    Step,
    RollBack,
    Kill,
}

impl CommitKind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Step => "step",
            Self::RollBack => "rollback",
            Self::Kill => "kill",
        }
    }
}
