//! Why a commit failed: one variant for each thing that the caller can do about it, and an enum of its own for the details.

mod conflict;
mod guard;
mod invalid;
mod missing;
mod store_failure;

use std::sync::Arc;

use ripcord_proto::ValidationErrors;
use ripcord_proto::commit::Recorded;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::proposal::Proposal;
use ripcord_proto::table::Entry;

pub use self::conflict::StateConflict;
pub use self::guard::{GuardRefusal, ProtectedChange, UnfitForProposal};
pub use self::invalid::InvalidDraft;
pub use self::missing::{MissingItem, UnknownName};
pub use self::store_failure::StoreFailure;

/// Why a commit failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// It names something that does not exist.
    #[error(transparent)]
    NotFound(#[from] MissingItem),
    /// The current state of the environment does not allow it.
    #[error(transparent)]
    Conflict(#[from] StateConflict),
    /// A guard of the environment does not allow it.
    #[error(transparent)]
    Guard(#[from] GuardRefusal),
    /// The request itself is wrong or incomplete.
    #[error(transparent)]
    Invalid(#[from] InvalidDraft),
    /// Nothing can be written now, or the store did not say whether it wrote. Try again later.
    #[error(transparent)]
    Store(#[from] StoreFailure),
    /// It needs approval by a second person: nothing was changed, and this proposal was committed instead.
    #[error("waiting for approval by a second person")]
    Proposed(Arc<Entry<Proposal>>),
    /// The same idempotent call was answered before, but the caller needs it done now. Holds the first answer.
    #[error("the call was answered before")]
    Replayed(Box<Recorded>),
    /// The server is shutting down, or has an internal error.
    #[error("{0}")]
    Internal(String),
}

impl From<ValidationErrors> for CommitError {
    fn from(faults: ValidationErrors) -> Self {
        Self::Invalid(InvalidDraft::Fields(faults))
    }
}

impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        error.problem()
    }
}

impl CommitError {
    /// Whether nothing can be written now, or it is unknown whether it was: the store is away or being re-seeded, or this node is
    /// not ready. Only this method decides it.
    pub const fn is_store_away(&self) -> bool {
        match self {
            Self::Store(_) => true,
            Self::NotFound(_) | Self::Conflict(_) | Self::Guard(_) | Self::Invalid(_) | Self::Proposed(_) | Self::Replayed(_) | Self::Internal(_) => false,
        }
    }

    /// The problem document for the caller, with what to do next.
    pub fn problem(&self) -> Problem {
        match self {
            Self::NotFound(missing) => missing.problem(),
            Self::Conflict(conflict) => conflict.problem(),
            Self::Guard(refusal) => refusal.problem(),
            Self::Invalid(invalid) => invalid.problem(),
            Self::Store(failure) => failure.problem(),
            Self::Proposed(_) | Self::Replayed(_) => Problem::new(Code::SecondPersonNeeded, PROPOSED),
            Self::Internal(why) => Problem::new(Code::Internal, why.clone()),
        }
    }
}

const PROPOSED: &str = "This is waiting for approval by a second person. See `ripcord proposal list`.";
