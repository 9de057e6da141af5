//! Rollbacks: from what is asked to a plan that shows everything, and to one commit that does exactly that.
//!
//! ```text
//! Order ──► prepare: the target's state, what the scope reaches ──► Prepared ──┬──► plan    shows it, with a hash
//!                                                                              └──► commit  does it, or says what stands in the way
//! ```
//!
//! What goes back is decided in [`crate::commit::reversal`], on the state that the commit is admitted on.

mod commit;
mod describe;
mod order;
mod plan;
mod population;
mod prepare;
mod reach;
mod share;
mod stale;
mod words;

pub use self::commit::{Done, answer_of, commit, with_kills};
pub use self::order::Order;
pub use self::plan::{Users, plan};
pub use self::prepare::{PrepareError, Prepared, prepare};
