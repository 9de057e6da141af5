//! What a caller asks of an environment: operations in order, with their author and their conditions.

use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::commit::{CommitApproval, Recorded};
use ripcord_proto::digest::Digest;
use ripcord_proto::rollout::Attribution;
use ripcord_proto::{EnvironmentKey, FlagKey, Position, ProposalId, ReleaseName, SegmentKey};

use super::idempotency::{IdempotentCall, Renderer};
use super::operation::Operation;
use super::outcome::Applied;

/// Who asks, and from where.
#[derive(Debug, Clone)]
pub struct Author {
    /// The person, pipeline or node that asks.
    pub actor: Actor,
    /// The node, address and request that it came by.
    pub origin: Origin,
}

/// The change that a caller requests of an environment.
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
