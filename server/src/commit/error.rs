//! Why nothing was committed, and what the caller is told.

use std::sync::Arc;

use ripcord_proto::commit::Recorded;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::proposal::Proposal;
use ripcord_proto::record::RecordKey;
use ripcord_proto::table::Entry;
use ripcord_proto::validation::ValidationErrors;
use ripcord_proto::{EnvironmentKey, FlagKey, Kill, KillId, Position, ReleaseName, SegmentKey};

/// Why nothing was committed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// There is no such environment here.
    #[error("there is no environment {0}")]
    NoEnvironment(EnvironmentKey),
    /// It names a flag that is not there.
    #[error("there is no flag {0}")]
    NoFlag(FlagKey),
    /// It names a segment that is not there.
    #[error("there is no segment {0}")]
    NoSegment(SegmentKey),
    /// It names a kill that is not in force.
    #[error("there is no kill {0} in force")]
    NoKill(KillId),
    /// It names a record that is not there.
    #[error("there is no {} {}", .0.kind(), .0.as_str())]
    NoRecord(RecordKey),
    /// A record has changed since the caller read it.
    #[error("{} {} has changed meanwhile", .0.kind(), .0.as_str())]
    RecordMoved(RecordKey),
    /// Another node drives the environment now.
    #[error("another node drives this environment now")]
    NotDriving,
    /// Changes can no longer join the release.
    #[error("release {0} is finished")]
    ReleaseFinished(ReleaseName),
    /// It cannot be done in the state that a record is in.
    #[error("{what} is {state}: {why}")]
    WrongState {
        /// The record.
        what: String,
        /// Its state.
        state: &'static str,
        /// Why, and what can be done instead.
        why: String,
    },
    /// It names a key that is not there.
    #[error("there is no key {0}")]
    NoKey(String),
    /// It is there already.
    #[error("{what} exists already")]
    Exists {
        /// What.
        what: String,
    },
    /// Something else needs it.
    #[error("{what} is used by {by}")]
    InUse {
        /// What.
        what: String,
        /// By what, and the way out.
        by: String,
    },
    /// It would leave the environment in a state that is not valid.
    #[error("{0}")]
    Invalid(ValidationErrors),
    /// A kill stands in the way.
    #[error("flag {flag} is killed by {}: {why}", kill.id)]
    Killed {
        /// The flag.
        flag: FlagKey,
        /// The kill.
        kill: Box<Kill>,
        /// What was refused and what would be accepted.
        why: &'static str,
    },
    /// The thing has changed since the caller read it.
    #[error("{what} has changed: it is at {current} now")]
    Stale {
        /// The thing.
        what: String,
        /// Where it is now; `None` = it is not there (or, for `NoFlag`, it is).
        current: Position,
    },
    /// The plan no longer holds.
    #[error("the plan no longer holds: {moved}")]
    PlanStale {
        /// What moved.
        moved: String,
        /// The hash of what would happen now.
        now: Digest,
    },
    /// The rule of a room above forbids it.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// It waits for a second person: nothing of what was asked is done, and this proposal was committed instead.
    #[error("it waits for a second person")]
    Proposed(Arc<Entry<Proposal>>),
    /// The same idempotent call was answered before, and its caller needs it to be done now. Holds the first answer.
    #[error("it was answered before")]
    Replayed(Box<Recorded>),
    /// Somebody's edit or restore came without a reason.
    #[error("a reason is needed")]
    ReasonRequired,
    /// The idempotency key was used for something else.
    #[error("the Idempotency-Key was used for another request")]
    IdempotencyMismatch,
    /// Nothing was written.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// The log is being re-seeded.
    #[error("the store is being filled again")]
    Reseeding,
    /// It may have been written; settled when the store is back.
    #[error("it is not known whether it was written")]
    OutcomeUnknown,
    /// The server is shutting down, or failed inside.
    #[error("{0}")]
    Internal(String),
}

impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        error.problem()
    }
}

/// What kind of failure an error is: what its caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The store cannot take it now, or did not say whether it did. Worth another try.
    StoreAway,
    /// It does not fit the state that the environment is in.
    Conflict,
    /// It names something that does not exist.
    NotFound,
    /// A rule of the environment forbids it.
    Forbidden,
    /// The request itself is wrong or incomplete.
    Invalid,
    /// The server failed or is shutting down.
    Internal,
}

impl CommitError {
    /// The kind of the error. This is the one place that decides whether the store is away.
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

    /// The problem document for the caller, with the way out.
    pub fn problem(&self) -> Problem {
        match self {
            Self::NoEnvironment(key) => Problem::new(
                Code::EnvironmentNotFound,
                format!("There is no environment {key}; `ripcord env list` shows those that exist."),
            ),
            Self::NoFlag(key) => Problem::new(
                Code::FlagNotFound,
                format!("There is no flag {key} in this environment; `ripcord flags list` shows those that exist."),
            ),
            Self::NoSegment(key) => Problem::new(
                Code::NotFound,
                format!("There is no segment {key} in this environment; `ripcord segments list` shows those that exist."),
            ),
            Self::NoKill(id) => Problem::new(Code::NotFound, format!("No kill {id} is in force; `ripcord kill list` shows those that are.")),
            Self::NoRecord(key) => {
                let (kind, name) = (key.kind(), key.as_str());
                Problem::new(
                    Code::NotFound,
                    format!("There is no {kind} {name} in this environment; `ripcord {kind} list` shows those that exist."),
                )
            }
            Self::RecordMoved(key) => moved(key),
            Self::NotDriving => Problem::new(Code::StaleRevision, "Nothing was changed: another node drives this environment now."),
            Self::ReleaseFinished(name) => Problem::new(
                Code::ReleaseFinished,
                format!("Nothing was changed: release {name} is finished. Begin a new one with `ripcord release begin`, or leave --release out."),
            ),
            Self::WrongState { what, state, why } => Problem::new(Code::WrongState, format!("Nothing was changed: {what} is {state}: {why}.")),
            Self::NoKey(id) => Problem::new(Code::NotFound, format!("There is no key {id}; `ripcord keys list` shows those that are valid.")),
            Self::Exists { what } => Problem::new(Code::AlreadyExists, format!("There is already {what}; nothing was changed.")),
            Self::InUse { what, by } => Problem::new(Code::InUse, format!("Nothing was changed: {what} is used by {by}.")),
            Self::Invalid(faults) => {
                Problem::new(Code::Invalid, "Nothing was changed; each field that is wrong is listed in errors.").with_errors(faults.all().iter().cloned())
            }
            Self::Killed { flag, kill, why } => killed(flag, kill, why),
            Self::Stale { what, current } => {
                Problem::new(Code::StaleRevision, format!("{what} is at {current} now; read it again and decide anew.")).with("current", current.to_string())
            }
            Self::PlanStale { moved, now } => {
                let detail = format!("Nothing was changed: {moved}. Plan again and look at what would happen now.");
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

const PROPOSED: &str = "It waits for a second person; `ripcord proposal list` shows it.";
const REASON_REQUIRED: &str = "Say why: as \"reason\" in the body, or as ?reason= where the body is the thing itself. It goes into the log.";
const IDEMPOTENCY_MISMATCH: &str = "This Idempotency-Key was used for a request with another body within 24 hours; use a new key for a new request.";
const MEANWHILE: &str = "Flags go on being served from memory, and kills work. Try again when `ripcord doctor` is well.";
const RESEEDING: &str = "Nothing was changed: the store had lost its state and is being filled again from memory. Try again in a few seconds.";
const OUTCOME_UNKNOWN: &str = "The store did not say whether it wrote. It is settled when the store is back, and applied at most once; repeat the call \
    with the same Idempotency-Key, or look at `ripcord audit`.";

fn moved(key: &RecordKey) -> Problem {
    let detail = format!(
        "Nothing was changed: {} {} has changed meanwhile; read it again and decide anew.",
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
