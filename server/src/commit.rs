//! The commit path: from a draft to what every reader is served.
//!
//! ```text
//! Draft -> Valid -> sealed commit -> store.append (durable) -> board (swap) -> streams -> the caller gets the Outcome
//! ```
//!
//! One writer task for each log takes drafts from two queues, urgent ones first. It validates each against the state that the
//! ones before it make, appends a whole batch in one atomic step, and only then swaps and answers. A draft is not cancelled
//! if its caller disconnects. Kills come through [`crate::kill`], which gives the store a quarter of a second.

mod approval;
mod batch;
mod candidate;
pub(crate) mod committer;
mod draft;
mod dry_run;
mod earlier;
mod error;
pub mod idempotency;
mod kill_guard;
mod metrics;
mod operation;
mod outcome;
pub mod plan;
mod precondition;
pub mod probes;
pub mod protect;
mod records;
pub mod reversal;
mod rule_budget;
pub mod state;
pub(crate) mod traits;
mod validate;
pub(crate) mod writer;

pub use self::draft::{Approval, Author, Draft, GivenApproval, KilledEdit, Precondition};
pub(crate) use self::dry_run::plan_of;
pub use self::error::{CommitError, GuardRefusal, InvalidDraft, MissingItem, StateConflict, StoreFailure, UnknownName};
pub use self::idempotency::{IdempotentCall, RenderedAnswer, Renderer};
pub use self::operation::{CompoundChange, Expected, Operation, Precheck};
pub use self::outcome::{Applied, KillStatus, Outcome};
pub(crate) use self::records::record_entry;
