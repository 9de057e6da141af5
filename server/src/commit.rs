//! The commit path: one line from what was asked to what everybody serves.
//!
//! ```text
//! Draft -> Valid -> sealed commit -> store.append (durable) -> board (swap) -> streams -> the caller is answered
//! ```
//!
//! One writer task for each log takes drafts from two queues, urgent ones first, validates each against the state
//! that the ones before it make, appends a whole batch in one atomic step and only then swaps and answers. A caller that hangs
//! up takes nothing back. Kills come through [`crate::kill`], which gives the store a quarter of a second.

pub mod approval;
mod batch;
pub(crate) mod committer;
mod error;
pub mod idempotency;
mod kill_guard;
mod metrics;
pub mod plan;
mod precondition;
pub mod probes;
pub mod protect;
mod records;
pub mod reversal;
pub mod state;
pub(crate) mod traits;
pub(crate) mod validate;
pub(crate) mod writer;

use std::sync::Arc;

use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::commit::{Commit, CommitApproval, Recorded};
use ripcord_proto::digest::Digest;
use ripcord_proto::ping::PingId;
use ripcord_proto::proposal::{Proposal, ProposedOperation};
use ripcord_proto::record::{Record, RecordKey, Records};
use ripcord_proto::settings::Settings;
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Kill, KillId, Position, ReleaseName, Segment, SegmentKey};
use serde_json::value::RawValue;

pub use self::approval::Approval;
pub use self::error::{CommitError, ErrorKind};
use self::reversal::Reversal;
use self::state::EnvironmentState;
use self::traits::LogDraft;

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
    /// The release that it belongs to.
    pub release: Option<ReleaseName>,
    /// What, in order. All of it or nothing.
    pub operations: Vec<Operation>,
    /// What must not have changed meanwhile (`If-Match`).
    pub precondition: Option<Precondition>,
    /// The hash of the plan that must still hold.
    pub plan: Option<Digest>,
    /// Whether the caller knows that it changes what a killed flag serves.
    pub killed_edit: KilledEdit,
    /// Who has agreed to it beside its author.
    pub approval: Approval,
    /// The idempotent call that this is, where it is one.
    pub call: Option<IdempotentCall>,
    /// An answer that was given already, while the store was away, to be recorded with the commit.
    pub answered: Option<Recorded>,
    /// Makes the answer's body from what was made; called before the append so that the answer is stored with it.
    pub answer: ResponseBuilder,
}

impl Draft {
    /// What is asked plainly: for no stated reason, under no condition, and of nobody who waits for an answer of his own.
    pub fn new(environment: EnvironmentKey, author: Author, operations: Vec<Operation>) -> Self {
        Self {
            environment,
            author,
            reason: None,
            release: None,
            operations,
            precondition: None,
            plan: None,
            killed_edit: KilledEdit::Refuse,
            approval: Approval::default(),
            call: None,
            answered: None,
            answer: ResponseBuilder::nothing(),
        }
    }
}

/// One thing that is asked.
#[derive(Debug, Clone)]
pub enum Operation {
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
    /// Nothing, if the driver of this token still drives; else everything beside it is refused.
    Driven(u64),
    /// A record shall be so, if it is as expected.
    PutRecord(Record, Expected),
    /// A record shall be gone, if it is as expected.
    DeleteRecord(RecordKey, Expected),
    /// What is asked is decided on the state that the commit is admitted on.
    Decide(Precheck),
    /// The same, ahead of everything that is queued: what takes something back.
    DecideNow(Precheck),
    /// A revision that changes nothing.
    Ping(PingId),
    /// Flags shall be as they were, and the record of that shall be kept.
    Rollback(Box<Reversal>),
}

/// What a record must be before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is.
    Anything,
    /// Not there.
    Absent,
    /// The one of this digest.
    Digest(Digest),
}

/// Whether an edit may change what a killed flag serves (its safe variant, or that variant's value).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KilledEdit {
    /// It is refused.
    #[default]
    Refuse,
    /// The caller said `"allow_killed_edit": true`.
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
pub struct IdempotentCall {
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
pub struct ResponseBuilder(pub Arc<dyn Fn(&Applied) -> Answer + Send + Sync>);

impl ResponseBuilder {
    /// For those who submit what nobody waits for.
    pub fn nothing() -> Self {
        Self(Arc::new(|_| Answer {
            status: 200,
            body: RawValue::NULL.to_owned(),
        }))
    }
}

impl std::fmt::Debug for ResponseBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResponseBuilder")
    }
}

/// Decides what is asked from the state that the commit finds, so that nothing comes between what is read and what is written.
#[derive(Clone)]
pub struct Precheck {
    decision: Arc<PrecheckFn>,
    /// What a proposal keeps of it; `None` for what nobody proposes.
    asked: Option<ProposedOperation>,
}

/// From the state that a commit finds to what is asked of it, or why nothing may be.
pub type PrecheckFn = dyn Fn(&EnvironmentState) -> Result<Vec<Operation>, CommitError> + Send + Sync;

impl Operation {
    /// What is asked is decided by `decision`.
    pub fn decide(decision: impl Fn(&EnvironmentState) -> Result<Vec<Self>, CommitError> + Send + Sync + 'static) -> Self {
        Self::Decide(Precheck::new(decision))
    }
}

impl Precheck {
    /// What `decision` makes of the state.
    pub fn new(decision: impl Fn(&EnvironmentState) -> Result<Vec<Operation>, CommitError> + Send + Sync + 'static) -> Self {
        Self {
            decision: Arc::new(decision),
            asked: None,
        }
    }

    /// The same, which a proposal keeps as `asked`.
    #[must_use]
    pub fn kept_as(self, asked: ProposedOperation) -> Self {
        Self { asked: Some(asked), ..self }
    }
}

impl std::fmt::Debug for Precheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Precheck")
    }
}

/// What a draft made.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The position from which on it holds: the new one, or the current one where nothing had to change.
    pub position: Position,
    /// What had to change, in order; empty where everything was so already.
    pub changes: Vec<ripcord_proto::change::Change>,
    /// Flags whose definition or cover by kills changed.
    pub flags: Vec<FlagKey>,
    /// The kill, where the draft asked for one.
    pub kill: Option<(Arc<Kill>, KillStatus)>,
    /// The records as they are with it.
    pub records: Arc<Records>,
    /// The proposal that it became, where nothing of what was asked was done.
    pub proposal: Option<Arc<Entry<Proposal>>>,
}

/// Whether a kill was in force before it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillStatus {
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

impl Committed {
    /// What is told of it: an answer that tells of a proposal is no commit of what was asked.
    fn told(self) -> Result<Self, CommitError> {
        if self.answer.is_proposal() {
            return Err(CommitError::Proposed {
                answer: Box::new(self.answer),
                replayed: self.replayed,
            });
        }
        Ok(self)
    }
}

/// What a draft would do to `state`, and the hash that does exactly that.
pub(crate) fn plan_of(draft: &Draft, state: Arc<EnvironmentState>) -> Result<plan::PlannedCommit, CommitError> {
    let validate::DraftPreview { after, touched, changes } = validate::preview(draft, &state)?;
    let refused = protect::check(draft, &state, &after, &touched).err();
    let effect = approval::Effect {
        draft,
        before: &state,
        after: &after,
        touched: &touched,
        changes: &changes,
    };
    let guarded = approval::warning(&approval::guarded(effect)?);
    let plan = plan::CommitPlan {
        warnings: refused.iter().map(ToString::to_string).chain(guarded).collect(),
        ..plan::make(draft, &state, &after, &touched)
    };
    Ok(plan::PlannedCommit {
        plan,
        before: state,
        after: after.snapshot,
        touched,
    })
}

impl LogDraft for Draft {
    fn author(&self) -> &Author {
        &self.author
    }

    fn reason(&self) -> Option<String> {
        self.reason.clone()
    }

    fn call(&self) -> Option<&IdempotentCall> {
        self.call.as_ref()
    }

    fn release(&self) -> Option<&ReleaseName> {
        self.release.as_ref()
    }

    fn approved(&self) -> Option<CommitApproval> {
        self.approval.named()
    }

    fn answered(&self) -> Option<&Recorded> {
        self.answered.as_ref()
    }

    fn answer(&self) -> &ResponseBuilder {
        &self.answer
    }
}
