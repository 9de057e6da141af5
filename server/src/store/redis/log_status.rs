//! How a log in Redis compares with the same log as this node knows it.

use crate::store::Head;

/// The result of one comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LogStatus {
    /// The same, or longer.
    InSync,
    /// It ends before what this node knows: Redis came back empty or older.
    Behind(Head),
    /// It has different entries.
    Diverged(Head),
    /// Its head is not something that ripcord writes.
    Unreadable(String),
    /// Nodes are filling it again.
    Reseeding,
}
