//! Why a commit failed, and the problem document that the caller gets.

use std::sync::Arc;

use ripcord_proto::commit::Recorded;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::proposal::Proposal;
use ripcord_proto::record::RecordKey;
use ripcord_proto::table::Entry;
use ripcord_proto::validation::ValidationErrors;
use ripcord_proto::{EnvironmentKey, FlagKey, Kill, KillId, Position, ReleaseName, SegmentKey};

/// Why a commit failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// The environment does not exist.
    #[error("environment {0} does not exist")]
    NoEnvironment(EnvironmentKey),
    /// The flag does not exist.
    #[error("flag {0} does not exist")]
    NoFlag(FlagKey),
    /// The segment does not exist.
    #[error("segment {0} does not exist")]
    NoSegment(SegmentKey),
    /// The kill is not in force.
    #[error("kill {0} is not in force")]
    NoKill(KillId),
    /// The record does not exist.
    #[error("{} {} does not exist", .0.kind(), .0.as_str())]
    NoRecord(RecordKey),
    /// A record has changed since the caller read it.
    #[error("{} {} has changed since it was read", .0.kind(), .0.as_str())]
    RecordMoved(RecordKey),
    /// This node no longer runs the background work of the environment.
    #[error("another node runs this environment's background work now")]
    NotDriving,
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
    /// The key does not exist.
    #[error("key {0} does not exist")]
    NoKey(String),
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
    /// The environment would become invalid.
    #[error("{0}")]
    Invalid(ValidationErrors),
    /// The flag is killed, and the change is not allowed while it is.
    #[error("flag {flag} is killed by {}: {why}", kill.id)]
    Killed {
        flag: FlagKey,
        kill: Box<Kill>,
        /// What was refused and what would be accepted.
        why: &'static str,
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
    /// A rule of another part of the server forbids it.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// It needs approval by a second person: nothing was changed, and this proposal was committed instead.
    #[error("waiting for approval by a second person")]
    Proposed(Arc<Entry<Proposal>>),
    /// The same idempotent call was answered before, but the caller needs it done now. Holds the first answer.
    #[error("the call was answered before")]
    Replayed(Box<Recorded>),
    /// A person's edit or restore has no reason.
    #[error("a reason is required")]
    ReasonRequired,
    /// The idempotency key was used for a different request.
    #[error("the Idempotency-Key was used for a different request")]
    IdempotencyMismatch,
    /// The store cannot be reached; nothing was written.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// The log is being re-seeded.
    #[error("the store is being re-seeded")]
    Reseeding,
    /// It may have been written; this is settled once the store is back.
    #[error("it is unknown whether the change was written")]
    OutcomeUnknown,
    /// The server is shutting down, or has an internal error.
    #[error("{0}")]
    Internal(String),
}

impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        error.problem()
    }
}

/// What the caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The store is unavailable, or did not say whether it wrote. Try again later.
    StoreAway,
    /// It conflicts with the current state of the environment.
    Conflict,
    /// It names something that does not exist.
    NotFound,
    /// A rule of the environment does not allow it.
    Forbidden,
    /// The request itself is wrong or incomplete.
    Invalid,
    /// The server failed or is shutting down.
    Internal,
}

impl CommitError {
    /// The kind of the error. Only this method decides whether the store is away.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable(_) | Self::Reseeding | Self::OutcomeUnknown => ErrorKind::StoreAway,
            Self::RecordMoved(_)
            | Self::NotDriving
            | Self::ReleaseFinished(_)
            | Self::WrongState { .. }
            | Self::Exists { .. }
            | Self::InUse { .. }
            | Self::Killed { .. }
            | Self::Stale { .. }
            | Self::PlanStale { .. }
            | Self::IdempotencyMismatch => ErrorKind::Conflict,
            Self::NoEnvironment(_) | Self::NoFlag(_) | Self::NoSegment(_) | Self::NoKill(_) | Self::NoRecord(_) | Self::NoKey(_) => ErrorKind::NotFound,
            Self::Refused(_) | Self::Proposed(_) | Self::Replayed(_) => ErrorKind::Forbidden,
            Self::Invalid(_) | Self::ReasonRequired => ErrorKind::Invalid,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }

    /// Whether the store is away, is being re-seeded, or did not say whether it wrote.
    pub const fn is_store_away(&self) -> bool {
        matches!(self.kind(), ErrorKind::StoreAway)
    }

    /// The problem document for the caller, with what to do next.
    pub fn problem(&self) -> Problem {
        match self {
            Self::NoEnvironment(key) => Problem::new(
                Code::EnvironmentNotFound,
                format!("Environment {key} does not exist. List environments with `ripcord env list`."),
            ),
            Self::NoFlag(key) => Problem::new(
                Code::FlagNotFound,
                format!("Flag {key} does not exist in this environment. List flags with `ripcord flags list`."),
            ),
            Self::NoSegment(key) => Problem::new(
                Code::NotFound,
                format!("Segment {key} does not exist in this environment. List segments with `ripcord segments list`."),
            ),
            Self::NoKill(id) => Problem::new(Code::NotFound, format!("Kill {id} is not in force. List kills with `ripcord kill list`.")),
            Self::NoRecord(key) => {
                let (kind, name) = (key.kind(), key.as_str());
                Problem::new(
                    Code::NotFound,
                    format!("No {kind} {name} exists in this environment. List them with `ripcord {kind} list`."),
                )
            }
            Self::RecordMoved(key) => moved(key),
            Self::NotDriving => Problem::new(
                Code::StaleRevision,
                "Nothing was changed: another node runs this environment's background work now.",
            ),
            Self::ReleaseFinished(name) => Problem::new(
                Code::ReleaseFinished,
                format!("Nothing was changed: release {name} is finished. Begin a new one with `ripcord release begin`, or omit --release."),
            ),
            Self::WrongState { what, state, why } => Problem::new(Code::WrongState, format!("Nothing was changed: {what} is {state}: {why}.")),
            Self::NoKey(id) => Problem::new(Code::NotFound, format!("Key {id} does not exist. List keys with `ripcord keys list`.")),
            Self::Exists { what } => Problem::new(Code::AlreadyExists, format!("Nothing was changed: {what} already exists.")),
            Self::InUse { what, by } => Problem::new(Code::InUse, format!("Nothing was changed: {what} is used by {by}.")),
            Self::Invalid(faults) => {
                Problem::new(Code::Invalid, "Nothing was changed. Every invalid field is listed in errors.").with_errors(faults.all().iter().cloned())
            }
            Self::Killed { flag, kill, why } => killed(flag, kill, why),
            Self::Stale { what, current } => Problem::new(
                Code::StaleRevision,
                format!("Nothing was changed: {what} is now at {current}. Read it again, then retry."),
            )
            .with("current", current.to_string()),
            Self::PlanStale { moved, now } => {
                let detail = format!("Nothing was changed: {moved}. Make a new plan and review it.");
                Problem::new(Code::PlanStale, detail).with("plan", now.to_string())
            }
            Self::Refused(problem) => (**problem).clone(),
            Self::Proposed(_) | Self::Replayed(_) => Problem::new(Code::SecondPersonNeeded, PROPOSED),
            Self::ReasonRequired => Problem::new(Code::ReasonRequired, REASON_REQUIRED),
            Self::IdempotencyMismatch => Problem::new(Code::IdempotencyMismatch, IDEMPOTENCY_MISMATCH),
            Self::Unavailable(why) => {
                let detail = format!("Nothing was changed: the store cannot be reached ({why}). {MEANWHILE}");
                Problem::new(Code::StoreUnavailable, detail)
            }
            Self::Reseeding => Problem::new(Code::Reseeding, RESEEDING),
            Self::OutcomeUnknown => Problem::new(Code::OutcomeUnknown, OUTCOME_UNKNOWN),
            Self::Internal(why) => Problem::new(Code::Internal, why.clone()),
        }
    }
}

const PROPOSED: &str = "This is waiting for approval by a second person. See `ripcord proposal list`.";
const REASON_REQUIRED: &str =
    "A reason is required for the audit log. Send it as \"reason\" in the body, or as ?reason= if the body is the flag, segment or record itself.";
const IDEMPOTENCY_MISMATCH: &str = "This Idempotency-Key was used for a different request in the last 24 hours. Use a new key for each new request.";
const MEANWHILE: &str = "Flags are still served from memory, and kills still work. Try again when `ripcord doctor` reports that the store is back.";
const RESEEDING: &str = "Nothing was changed: the store lost its data and is being re-seeded from memory. Try again in a few seconds.";
const OUTCOME_UNKNOWN: &str = "The store did not confirm the write, so the change may or may not be in force. This is settled when the store is back, and the \
    change is applied at most once. Repeat the call with the same Idempotency-Key, or check `ripcord audit`.";

fn moved(key: &RecordKey) -> Problem {
    let detail = format!(
        "Nothing was changed: {} {} has changed since you read it. Read it again, then retry.",
        key.kind(),
        key.as_str()
    );
    Problem::new(Code::StaleRevision, detail)
}

fn killed(flag: &FlagKey, kill: &Kill, why: &str) -> Problem {
    let reason = kill.reason.as_ref().map(|reason| format!(", {reason}")).unwrap_or_default();
    let detail = format!("Flag {flag} is killed by {} ({}{reason}): {why}", kill.id, kill.scope);
    Problem::new(Code::FlagKilled, detail)
        .with("kill", serde_json::to_value(kill).unwrap_or_default())
        .with("flag", flag.as_str())
}
