//! What remote evaluation answers, whatever protocol asks: who sees which flags, how a reason is told, what an answer carries beside
//! its value.
//!
//! A client keeps what is told as `STATIC` until it hears of a change, and knows few reasons. So a killed flag, one whose lease has
//! run out and one whose prerequisites are unmet are told as `DEFAULT`, and the metadata name the kill.

mod evaluation;
mod selection;
pub mod trace;

pub use self::evaluation::{FlagMetadata, RemoteEvaluation};
pub use self::selection::Selection;
