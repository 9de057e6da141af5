//! What a caller asks of an environment: operations in order, with their author and their conditions.

use std::sync::Arc;

use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::commit::{CommitApproval, Recorded};
use ripcord_proto::digest::Digest;
use ripcord_proto::ping::PingId;
use ripcord_proto::proposal::ProposedOperation;
use ripcord_proto::record::{Record, RecordKey};
use ripcord_proto::rollout::Attribution;
use ripcord_proto::settings::Settings;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Kill, KillId, Position, ProposalId, ReleaseName, Segment, SegmentKey};

use super::error::CommitError;
use super::idempotency::{IdempotentCall, Renderer};
use super::outcome::Applied;
use super::reversal::Reversal;
use super::state::EnvironmentState;

/// Who asks, and from where.
#[derive(Debug, Clone)]
pub struct Author {
    /// The person, pipeline or node that asks.
    pub actor: Actor,
    /// The node, address and request that it came by.
    pub origin: Origin,
}

/// What is asked of an environment.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The environment that changes.
    pub environment: EnvironmentKey,
    /// Who asks.
    pub author: Author,
    /// Why, for the log.
    pub reason: Option<String>,
    /// The release that the commit belongs to.
    pub release: Option<ReleaseName>,
    /// What to do, in order. All of it is done, or nothing.
    pub operations: Vec<Operation>,
    /// What must not have changed since the caller read it (`If-Match`).
    pub precondition: Option<Precondition>,
    /// The hash of the plan that must still hold.
    pub plan: Option<Digest>,
    /// Whether the draft may change what a killed flag serves.
    pub killed_edit: KilledEdit,
    /// Who has approved it besides its author.
    pub approval: Approval,
    /// The idempotent call that it answers. Without one, no answer is recorded.
    pub call: Option<IdempotentCall>,
    /// An answer that was given while the store was away, to be recorded with the commit.
    pub answered: Option<Recorded>,
    /// Renders the answer to be recorded with `call`, before the append, so that both are stored or neither.
    pub renderer: Renderer<Applied>,
}

impl Draft {
    /// A draft without reason, precondition, plan or idempotent call.
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
            renderer: Renderer::default(),
        }
    }
}

/// One step of a draft.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Creates or replaces a flag.
    PutFlag(FlagKey, Box<Flag>),
    /// Deletes a flag.
    DeleteFlag(FlagKey),
    /// Switches a flag on or off.
    SetEnabled(FlagKey, bool),
    /// Creates or replaces a segment.
    PutSegment(SegmentKey, Box<Segment>),
    /// Deletes a segment.
    DeleteSegment(SegmentKey),
    /// Replaces the settings.
    PutSettings(Settings),
    /// Kills. The commit finds the flags that a kill by tag latches onto. A scope that is killed already stays as it is.
    Kill(Box<Kill>),
    /// Adds a provisional kill to the log, once, whatever else covers its flags.
    Merge(Box<Kill>),
    /// Withdraws a provisional kill: its id never enters the log, and is lifted if another node has merged it.
    Withdraw(KillId),
    /// Lifts a kill.
    Restore(KillId),
    /// Gives a kill a reason.
    GiveReason(KillId, String),
    /// Refuses the whole draft unless the leader lease with this token is still held.
    Driven(u64),
    /// Creates or replaces a record, if it is as expected.
    PutRecord(Record, Expected),
    /// Deletes a record, if it is as expected.
    DeleteRecord(RecordKey, Expected),
    /// Finds its operations on the state that the commit is admitted on.
    Decide(Precheck),
    /// The same, ahead of everything that is queued: for what takes something back.
    DecideNow(Precheck),
    /// A revision that changes nothing.
    Ping(PingId),
    /// Returns flags to an earlier state, and keeps the record of that.
    Rollback(Box<Reversal>),
}

impl Operation {
    /// An operation that `decision` finds on the state that the commit is admitted on.
    pub fn decide(decision: impl Fn(&EnvironmentState) -> Result<Vec<Self>, CommitError> + Send + Sync + 'static) -> Self {
        Self::Decide(Precheck::new(decision))
    }

    /// Whether it goes ahead of everything that is queued.
    pub fn is_urgent(&self) -> bool {
        match self {
            Self::Kill(_) | Self::Merge(_) | Self::Withdraw(_) | Self::Restore(_) | Self::Rollback(_) | Self::DecideNow(_) => true,
            Self::PutFlag(..)
            | Self::DeleteFlag(_)
            | Self::SetEnabled(..)
            | Self::PutSegment(..)
            | Self::DeleteSegment(_)
            | Self::PutSettings(_)
            | Self::Driven(_)
            | Self::PutRecord(..)
            | Self::DeleteRecord(..)
            | Self::Decide(_)
            | Self::Ping(_)
            | Self::GiveReason(..) => false,
        }
    }
}

/// What a record must be before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Anything, or nothing.
    Anything,
    /// It must not exist.
    Absent,
    /// It must have this digest.
    Digest(Digest),
}

/// Whether an edit may change what a killed flag serves (its safe variant, or that variant's value).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KilledEdit {
    /// Such an edit is refused.
    #[default]
    Refuse,
    /// The caller has allowed it.
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
    /// `If-Match: *` on a flag: it must exist.
    SomeFlag(FlagKey),
    /// The same for a segment.
    SomeSegment(SegmentKey),
    /// `If-None-Match: *` on a flag: it must not exist.
    NoFlag(FlagKey),
    /// The same for a segment.
    NoSegment(SegmentKey),
}

/// Who has approved a draft besides its author.
#[derive(Debug, Clone, Default)]
pub enum Approval {
    /// No one: if the policy requires a second person, the draft becomes a proposal.
    #[default]
    AsPolicySays,
    /// It was approved beforehand: a step of something that was started with an approval, or an action of an armed trigger.
    Agreed,
    /// A second person has approved a proposal.
    Given(Box<GivenApproval>),
}

/// A second person's approval.
#[derive(Debug, Clone)]
pub struct GivenApproval {
    /// The proposal that was approved.
    pub proposal: ProposalId,
    /// Who approved it, when and why.
    pub word: Attribution,
}

impl Approval {
    /// As the commit names it.
    pub(super) fn named(&self) -> Option<CommitApproval> {
        match self {
            Self::Given(given) => Some(CommitApproval {
                by: given.word.by.clone(),
                proposal: given.proposal.clone(),
            }),
            Self::AsPolicySays | Self::Agreed => None,
        }
    }
}

/// Finds the operations on the state that the commit is admitted on, so that nothing comes between what is read and what is written.
#[derive(Clone)]
pub struct Precheck {
    decision: Arc<PrecheckFn>,
    /// What a proposal keeps of it; `None` if no proposal can hold it.
    asked: Option<ProposedOperation>,
}

/// From the state that a commit finds to the operations, or why there are none.
type PrecheckFn = dyn Fn(&EnvironmentState) -> Result<Vec<Operation>, CommitError> + Send + Sync;

impl Precheck {
    /// The operations that `decision` finds.
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

    pub(super) fn run(&self, state: &EnvironmentState) -> Result<Vec<Operation>, CommitError> {
        (self.decision)(state)
    }

    pub(super) const fn asked(&self) -> Option<&ProposedOperation> {
        self.asked.as_ref()
    }
}

impl std::fmt::Debug for Precheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Precheck").finish_non_exhaustive()
    }
}
