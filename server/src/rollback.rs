//! Rollbacks: from the request to a plan that shows everything, to one commit that does exactly that, to the proof of its result.
//!
//! ```text
//! Order ──► prepare: the target's state, what the scope reaches ──► Prepared ──┬──► plan    shows it, with a hash
//!                                                                              └──► commit  does it, or says what prevents it
//! record ──► controller: a procedure for each, on the leader ──► confirmed, partial, failed; acts, review: what people do
//! ```
//!
//! What is rolled back is decided in [`crate::commit::reversal`], on the state that the commit is admitted on.

pub mod actions;
mod alternatives;
pub mod controller;
mod describe;
mod error;
mod execute;
mod messages;
mod plan;
mod plan_drift;
mod prepare;
pub mod review;
mod scope;
mod spec;
mod stages;
#[cfg(test)]
mod tests;
pub mod undo;
pub mod wait;

pub use self::error::{ActionError, PrepareError, RollbackError, WrongRollbackState};
pub use self::execute::{CommittedRollback, answer_of, ask_probes, commit, replayed};
pub use self::plan::{conflicts, plan};
pub use self::prepare::{PreparedRollback, prepare, prepare_again};
pub use self::spec::RollbackSpec;
