//! Rollbacks: from what is asked to a plan that shows everything, to one commit that does exactly that, to the proof of what came
//! of it.
//!
//! ```text
//! Order ──► prepare: the target's state, what the scope reaches ──► Prepared ──┬──► plan    shows it, with a hash
//!                                                                              └──► commit  does it, or says what stands in the way
//! record ──► progress: a procedure for each, on the node that drives ──► confirmed, partial, failed; acts, review: what people do
//! ```
//!
//! What goes back is decided in [`crate::commit::reversal`], on the state that the commit is admitted on.

pub mod acts;
mod commit;
mod describe;
mod judgement;
mod ladder;
mod order;
mod plan;
mod population;
mod prepare;
mod procedure;
pub mod progress;
mod reach;
pub mod review;
mod says;
mod served;
mod share;
mod stale;
#[cfg(test)]
mod tests;
pub mod undo;
pub mod wait;
pub(crate) mod words;

pub use self::commit::{Done, answer_of, ask_probes, commit, replayed, with_kills};
pub use self::order::Order;
pub use self::plan::{Users, plan};
pub use self::prepare::{PrepareError, Prepared, prepare, prepare_again};
pub(crate) use self::share::{Comparison, shares};
