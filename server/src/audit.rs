//! The audit trail: reading logs, searching them, and verifying their hash chains.
//!
//! It reads what the store holds, not what is in memory, and verifies chains itself instead of trusting the store.

mod change_history;
mod read;
mod summary;
#[cfg(test)]
mod tests;
mod verify;

pub use self::change_history::{ChangeHistory, HistoryEntry, change_history, changed_by};
pub use self::read::{LogPage, at, newest_first, position_of};
pub use self::summary::{orphan, summary};
pub use self::verify::verify;
