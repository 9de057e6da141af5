//! The evaluation engine: a snapshot compiled into a form built for reading, and the reading of it.
//!
//! It does no I/O, reads no clock, takes no lock, and an evaluation allocates nothing (imported JSONLogic rules aside, which
//! work in a scratch arena). [`Compiled`] is immutable and `Send + Sync`: whoever holds one answers from one revision.
//!
//! ```text
//! Snapshot ──► Compiled::new ──► evaluate(key, &Context, Unheard) ──► Evaluation ──► boolean(), string(), … or detail()
//!   delta ───► Compiled::update   recompiles what was touched, shares the rest
//! ```
//!
//! The order of an evaluation is the one that the design fixes: unknown, killed, lease run out, disabled, cannot be compiled,
//! prerequisites, rules in order, default.

mod bucket;
mod compile;
mod condition;
mod context;
mod detail;
mod evaluate;
mod explain;
mod flag;
mod jsonlogic;
mod network;
mod outcome;
mod path;
mod split;
mod text;
mod version;
mod word;

#[cfg(test)]
mod tests;

pub use compile::{Compiled, Problem};
pub use context::{Attribute, Context};
pub use detail::{Detail, ErrorCode, Reason, RuleRef, TypeMismatch, Unheard};
pub use evaluate::Evaluation;
pub use explain::{Explanation, Saw, Step};
pub use flag::CompiledFlag;
