//! Why a decision on a proposal was refused.

use ripcord_proto::proposal::Proposal;

use crate::commit::CommitError;
use crate::rollback::RollbackError;

/// How a proposal ends without being applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// A second person declines it.
    Decline,
    /// Its author withdraws it.
    Withdraw,
}

/// Why a decision on a proposal was refused.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    /// Its author cannot approve it.
    #[error("proposal {} needs a second person", .0.id)]
    OwnProposal(Box<Proposal>),
    /// The caller may not end it in this way.
    #[error("proposal {} cannot be ended by this caller", .0.id)]
    NotYours(Box<Proposal>, Rejection),
    /// It was decided differently before.
    #[error("proposal {} is {}", .0.id, .0.state.as_str())]
    AlreadyDecided(Box<Proposal>),
    /// The environment has changed since it was proposed. The proposal is as it is now.
    #[error("proposal {} is out of date: {why}", .proposal.id)]
    Stale {
        proposal: Box<Proposal>,
        /// What has changed.
        why: String,
    },
    /// The rollback that it holds is refused.
    #[error(transparent)]
    Rollback(#[from] RollbackError),
    /// The commit was refused.
    #[error(transparent)]
    Commit(#[from] CommitError),
}
