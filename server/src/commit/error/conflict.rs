//! What does not fit the current state of the environment.

use ripcord_proto::digest::Digest;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::record::RecordKey;
use ripcord_proto::{EnvironmentKey, Position, ReleaseName};

/// The current state of the environment does not allow it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateConflict {
    /// A record has changed since the caller read it.
    #[error("{} {} has changed since it was read", .0.kind(), .0.as_str())]
    RecordMoved(RecordKey),
    /// This node no longer runs the background work of the environment.
    #[error("another node runs this environment's background work now")]
    NotLeader,
    /// The release is finished and takes no more changes.
    #[error("release {0} is finished")]
    ReleaseFinished(ReleaseName),
    /// The state of a record does not allow it.
    #[error("{what} is {state}: {why}")]
    WrongState {
        /// The record.
        what: String,
        state: &'static str,
        /// Why, and what can be done instead.
        why: String,
    },
    /// It already exists.
    #[error("{what} already exists")]
    Exists { what: String },
    /// It cannot be removed while something else uses it.
    #[error("{what} is used by {by}")]
    InUse {
        what: String,
        /// What uses it, and what to do about it.
        by: String,
    },
    /// A flag, a segment or the environment has changed since the caller read it.
    #[error("{what} has changed and is now at {current}")]
    Stale {
        what: String,
        /// Where it is now; if it does not exist, where the environment is.
        current: Position,
    },
    /// The plan is out of date.
    #[error("the plan is out of date: {moved}")]
    PlanStale {
        /// What differs from the plan.
        moved: String,
        /// The hash of what would happen now.
        now: Digest,
    },
    /// `last-known-good` is named, but no checkpoint is known-good.
    #[error(
        "{0} has no known-good checkpoint yet. Create one (`ripcord checkpoint create NAME`) and mark it known-good \
         (`ripcord checkpoint vouch NAME --evidence \"…\"`), or name a revision."
    )]
    NoKnownGood(EnvironmentKey),
}

impl StateConflict {
    pub(super) fn problem(&self) -> Problem {
        match self {
            Self::RecordMoved(key) => {
                let (kind, name) = (key.kind(), key.as_str());
                let detail = format!("Nothing was changed: {kind} {name} has changed since you read it. Read it again, then retry.");
                Problem::new(Code::StaleRevision, detail)
            }
            Self::NotLeader => Problem::new(
                Code::StaleRevision,
                "Nothing was changed: another node runs this environment's background work now.",
            ),
            Self::ReleaseFinished(name) => Problem::new(
                Code::ReleaseFinished,
                format!("Nothing was changed: release {name} is finished. Begin a new one with `ripcord release begin`, or omit --release."),
            ),
            Self::WrongState { what, state, why } => {
                Problem::new(Code::WrongState, format!("Nothing was changed: {what} is {}: {why}.", state.replace('_', " ")))
            }
            Self::Exists { what } => Problem::new(Code::AlreadyExists, format!("Nothing was changed: {what} already exists.")),
            Self::InUse { what, by } => Problem::new(Code::InUse, format!("Nothing was changed: {what} is used by {by}.")),
            Self::Stale { what, current } => {
                let detail = format!("Nothing was changed: {what} is now at {current}. Read it again, then retry.");
                Problem::new(Code::StaleRevision, detail).with("current", current.to_string())
            }
            Self::PlanStale { moved, now } => {
                let detail = format!("Nothing was changed: {moved}. Make a new plan and review it.");
                Problem::new(Code::PlanStale, detail).with("plan", now.to_string())
            }
            Self::NoKnownGood(_) => Problem::new(Code::NoKnownGood, self.to_string()),
        }
    }
}
