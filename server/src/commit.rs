//! The commit path: one line from what was asked to what everybody serves.
//!
//! ```text
//! Draft -> Valid -> sealed commit -> store.append (durable) -> board (swap) -> streams -> the caller is answered
//! ```
//!
//! One writer task for each log takes drafts from two queues, urgent ones first, validates each against the state
//! that the ones before it make, appends a whole batch in one atomic step and only then swaps and answers. A caller that hangs
//! up takes nothing back. Kills come through [`crate::kill`], which gives the store a quarter of a second.

mod guard;
pub mod idempotency;
mod meters;
pub mod plan;
pub mod state;
pub(crate) mod validate;
pub(crate) mod writer;

use std::sync::Arc;

use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::commit::{Commit, Recorded};
use ripcord_proto::digest::Digest;
use ripcord_proto::fault::Faults;
use ripcord_proto::problem::Problem;
use ripcord_proto::settings::Settings;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Kill, KillId, Position, Segment, SegmentKey};
use serde_json::value::RawValue;

use self::state::EnvironmentState;
use self::writer::LogDraft;

/// Who asks, and from where.
#[derive(Debug, Clone)]
pub struct Author {
    /// Who.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
}

/// What is asked of an environment.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Of which.
    pub environment: EnvironmentKey,
    /// By whom.
    pub author: Author,
    /// Why.
    pub reason: Option<String>,
    /// What, in order. All of it or nothing.
    pub asks: Vec<Ask>,
    /// What must not have changed meanwhile (`If-Match`).
    pub precondition: Option<Precondition>,
    /// The hash of the plan that must still hold.
    pub plan: Option<Digest>,
    /// Whether the caller knows that it changes what a killed flag serves.
    pub changes_served: ChangesServed,
    /// The idempotent call that this is, where it is one.
    pub call: Option<Call>,
    /// An answer that was given already, while the store was away, to be recorded with the commit.
    pub answered: Option<Recorded>,
    /// Makes the answer's body from what was made; called before the append so that the answer is stored with it.
    pub answer: Answerer,
}

/// One thing that is asked.
#[derive(Debug, Clone)]
pub enum Ask {
    /// A flag as it shall be.
    PutFlag(FlagKey, Box<Flag>),
    /// A flag shall be gone.
    DeleteFlag(FlagKey),
    /// A flag shall be on or off.
    SetEnabled(FlagKey, bool),
    /// A segment as it shall be.
    PutSegment(SegmentKey, Box<Segment>),
    /// A segment shall be gone.
    DeleteSegment(SegmentKey),
    /// The settings shall be these.
    PutSettings(Settings),
    /// A kill, whole except for the flags it latches onto, which the commit finds. A scope that is killed already stays as it is.
    Kill(Box<Kill>),
    /// A provisional kill comes into the log, once, beside whatever else covers its flags.
    Merge(Box<Kill>),
    /// A provisional kill was withdrawn: its id never enters the log, and leaves it where another node had merged it.
    Withdraw(KillId),
    /// A kill shall be lifted.
    Restore(KillId),
    /// A kill shall have this reason.
    GiveReason(KillId, String),
}

/// Whether an edit may change what a killed flag serves (its safe variant, or that variant's value).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChangesServed {
    /// It is refused.
    #[default]
    Refuse,
    /// The caller said `"changes_served": true`.
    Accept,
}

/// The thing whose ETag the caller named, and that ETag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// The environment's position.
    Environment(Position),
    /// The position of a flag's last change.
    Flag(FlagKey, Position),
    /// The position of a segment's last change.
    Segment(SegmentKey, Position),
    /// `If-None-Match: *` on a flag: it must not exist.
    NoFlag(FlagKey),
    /// The same for a segment.
    NoSegment(SegmentKey),
}

/// An idempotent call: the same caller, route, key and body get the same answer for 24 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The key's id, or `admin`.
    pub caller: String,
    /// Method and path.
    pub route: String,
    /// The `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of the body.
    pub request: Digest,
}

/// An answer: status and body, without what is looked up anew each time (the confirmation).
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON body.
    pub body: Box<RawValue>,
}

/// Makes an answer from what a draft made.
#[derive(Clone)]
pub struct Answerer(pub Arc<dyn Fn(&Made) -> Answer + Send + Sync>);

impl std::fmt::Debug for Answerer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answerer")
    }
}

/// What a draft made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The position from which on it holds: the new one, or the current one where nothing had to change.
    pub position: Position,
    /// What had to change, in order; empty where everything was so already.
    pub changes: Vec<ripcord_proto::change::Change>,
    /// Flags whose definition or cover by kills changed.
    pub flags: Vec<FlagKey>,
    /// The kill, where the draft asked for one.
    pub kill: Option<(Arc<Kill>, Standing)>,
}

/// Whether a kill was in force before it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was made by this order.
    New,
    /// Its scope was killed already.
    Existing,
}

/// What was committed, or found committed.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The position from which on it holds.
    pub position: Position,
    /// The commit; `None` where nothing had to change or the answer is a replay.
    pub commit: Option<Arc<Commit>>,
    /// The answer, fresh or replayed.
    pub answer: Answer,
    /// Whether it was answered before.
    pub replayed: bool,
    /// When it was swapped in on this node.
    pub at: std::time::Instant,
}

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
    Invalid(Faults),
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

impl CommitError {
    /// The problem document for the caller, with the way out.
    pub fn problem(&self) -> Problem {
        use ripcord_proto::problem::Code;
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
            Self::NoKill(id) => Problem::new(Code::NotFound, format!("No kill {id} is in force; `ripcord kill --list` shows those that are.")),
            Self::NoKey(id) => Problem::new(Code::NotFound, format!("There is no key {id}; `ripcord keys list` shows those that are valid.")),
            Self::Exists { what } => Problem::new(Code::AlreadyExists, format!("There is already {what}; nothing was changed.")),
            Self::InUse { what, by } => Problem::new(Code::InUse, format!("Nothing was changed: {what} is used by {by}.")),
            Self::Invalid(faults) => {
                Problem::new(Code::Invalid, "Nothing was changed; each field that is wrong is listed in errors.").with_errors(faults.all().iter().cloned())
            }
            Self::Killed { flag, kill, why } => Problem::new(
                Code::FlagKilled,
                format!(
                    "Flag {flag} is killed by {} ({}{}): {why}",
                    kill.id,
                    kill.scope,
                    kill.reason.as_ref().map(|reason| format!(", {reason}")).unwrap_or_default()
                ),
            )
            .with("kill", serde_json::to_value(kill).unwrap_or_default())
            .with("flag", flag.as_str()),
            Self::Stale { what, current } => {
                Problem::new(Code::StaleRevision, format!("{what} is at {current} now; read it again and decide anew.")).with("current", current.to_string())
            }
            Self::PlanStale { moved, now } => Problem::new(
                Code::PlanStale,
                format!("Nothing was changed: {moved}. Plan again and look at what would happen now."),
            )
            .with("plan", now.to_string()),
            Self::ReasonRequired => Problem::new(
                Code::ReasonRequired,
                "Say why: as \"reason\" in the body, or as ?reason= where the body is the thing itself. It goes into the log.",
            ),
            Self::IdempotencyMismatch => Problem::new(
                Code::IdempotencyMismatch,
                "This Idempotency-Key was used for a request with another body within 24 hours; use a new key for a new request.",
            ),
            Self::Unavailable(why) => Problem::new(
                Code::StoreUnavailable,
                format!(
                    "Nothing was changed: the store cannot be reached ({why}). Flags go on being served from memory, and kills work. Try again when `ripcord doctor` is well."
                ),
            ),
            Self::Reseeding => Problem::new(
                Code::Reseeding,
                "Nothing was changed: the store had lost its state and is being filled again from memory. Try again in a few seconds.",
            ),
            Self::OutcomeUnknown => Problem::new(
                Code::OutcomeUnknown,
                "The store did not say whether it wrote. It is settled when the store is back, and applied at most once; repeat the call with the same Idempotency-Key, or look at `ripcord audit`.",
            ),
            Self::Internal(why) => Problem::new(Code::Internal, why.clone()),
        }
    }
}

/// What a draft would do to `state`, and the hash that does exactly that.
pub(crate) fn plan_of(draft: &Draft, state: &EnvironmentState) -> Result<plan::Plan, CommitError> {
    let (after, touched) = validate::candidate(draft, state)?;
    Ok(plan::make(draft, state, &after, &touched))
}

impl LogDraft for Draft {
    fn author(&self) -> &Author {
        &self.author
    }

    fn reason(&self) -> Option<String> {
        self.reason.clone()
    }

    fn call(&self) -> Option<&Call> {
        self.call.as_ref()
    }

    fn answered(&self) -> Option<&Recorded> {
        self.answered.as_ref()
    }

    fn answer(&self) -> &Answerer {
        &self.answer
    }
}
