//! Why nothing can be written now.

use ripcord_proto::EnvironmentKey;
use ripcord_proto::problem::{Code, Problem};

/// Nothing can be written now, or it is unknown whether it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreFailure {
    /// The store cannot be reached; nothing was written.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// The log is being re-seeded.
    #[error("the store is being re-seeded")]
    Reseeding,
    /// It may have been written; this is settled once the store is back.
    #[error("it is unknown whether the change was written")]
    OutcomeUnknown,
    /// The environment exists, but this node has not loaded it yet.
    #[error("environment {0} is still loading on this node")]
    NotReady(EnvironmentKey),
}

impl StoreFailure {
    pub(super) fn problem(&self) -> Problem {
        match self {
            Self::Unavailable(why) => {
                let detail = format!("Nothing was changed: the store cannot be reached ({why}). {MEANWHILE}");
                Problem::new(Code::StoreUnavailable, detail)
            }
            Self::Reseeding => Problem::new(Code::Reseeding, RESEEDING),
            Self::OutcomeUnknown => Problem::new(Code::OutcomeUnknown, OUTCOME_UNKNOWN),
            Self::NotReady(environment) => Problem::new(Code::NotReady, format!("Environment {environment} is still loading.")),
        }
    }
}

const MEANWHILE: &str = "Flags are still served from memory, and kills still work. Try again when `ripcord doctor` reports that the store is back.";
const RESEEDING: &str = "Nothing was changed: the store lost its data and is being re-seeded from memory. Try again in a few seconds.";
const OUTCOME_UNKNOWN: &str = "The store did not confirm the write, so the change may or may not be in force. This is settled when the store is back, and the \
    change is applied at most once. Repeat the call with the same Idempotency-Key, or check `ripcord audit`.";
