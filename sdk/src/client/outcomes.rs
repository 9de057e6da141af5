//! Evaluations and outcomes, counted in this process and sent in batches.
//!
//! The engine numbers what flags can serve, and keeps the numbers from one state to the next as long as it can. [`OutcomeCounters`] has a
//! counter for each number. Counting touches nothing else; which flag and variant a number stands for is looked up when a batch is made.

mod counters;
mod measurements;
mod outcome;
mod reader;
mod registry;
mod sender;
mod striped_counters;

pub(crate) use counters::OutcomeCounters;
pub use outcome::Outcome;
pub(crate) use registry::CounterRegistry;
pub(crate) use sender::{Destination, run};
