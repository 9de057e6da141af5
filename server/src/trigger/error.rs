//! Why a delivery was refused, or a payload could not be tested.

use ripcord_proto::ValidationErrors;

use super::signature::SignatureError;
use crate::commit::CommitError;

/// Why a delivery was refused.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// It is not genuine, or too old.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The body is not what the trigger takes.
    #[error("{0}")]
    Unreadable(ValidationErrors),
    /// Too many alerts are being handled at once.
    #[error("too many alerts are being handled at once")]
    Busy,
    /// What it asks for could not be committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Why a payload could not be tested.
#[derive(Debug, thiserror::Error)]
pub enum DryRunError {
    /// The payload is not what the trigger takes.
    #[error("{0}")]
    Payload(ValidationErrors),
    /// The environment does not exist.
    #[error(transparent)]
    Commit(#[from] CommitError),
}
