//! The subject of a confirmation.

use ripcord_proto::{KillId, Position};

/// What applications should confirm.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmationTarget {
    Revision(Position),
    /// A provisional kill, which has no revision yet.
    Kill(KillId),
}
