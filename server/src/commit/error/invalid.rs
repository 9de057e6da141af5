//! What is wrong with the request itself.

use ripcord_proto::ValidationErrors;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::validation::ValidationError;

/// The request is wrong or incomplete.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InvalidDraft {
    /// The environment would become invalid.
    #[error("{0}")]
    Fields(ValidationErrors),
    /// The files of a set conflict with changes that were made by hand since its last apply.
    #[error("{FILE_CONFLICTS}")]
    FileConflicts(Vec<ValidationError>),
    /// A person's edit or restore has no reason.
    #[error("a reason is required")]
    ReasonRequired,
    /// The idempotency key was used for a different request.
    #[error("the Idempotency-Key was used for a different request")]
    IdempotencyMismatch,
}

impl InvalidDraft {
    pub(super) fn problem(&self) -> Problem {
        match self {
            Self::Fields(faults) => {
                Problem::new(Code::Invalid, "Nothing was changed. The list `errors` names each invalid field.").with_errors(faults.all().iter().cloned())
            }
            Self::FileConflicts(conflicts) => Problem::new(Code::Invalid, FILE_CONFLICTS).with_errors(conflicts.iter().cloned()),
            Self::ReasonRequired => Problem::new(Code::ReasonRequired, REASON_REQUIRED),
            Self::IdempotencyMismatch => Problem::new(Code::IdempotencyMismatch, IDEMPOTENCY_MISMATCH),
        }
    }
}

const FILE_CONFLICTS: &str = "Nothing was changed: manual changes since the last apply conflict with the files; errors lists each. Add them to the files, \
    or overwrite them with \"takeover\": \"adopt\".";
const REASON_REQUIRED: &str =
    "A reason is required for the audit log. Send it as \"reason\" in the body, or as ?reason= if the body is the flag, segment or record itself.";
const IDEMPOTENCY_MISMATCH: &str = "This Idempotency-Key was used for a different request in the last 24 hours. Use a new key for each new request.";
