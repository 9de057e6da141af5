//! What this node serves: an immutable snapshot of each environment, swapped as a whole.

pub mod board;
pub mod frames;
pub mod history;
pub mod publication;
pub(crate) mod publisher;

#[cfg(test)]
pub(crate) mod fixture;
