//! What this node serves: an immutable snapshot of each environment, swapped as a whole.

pub mod board;
pub mod publication;
pub(crate) mod publisher;
