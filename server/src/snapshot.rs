//! The state that this node serves: one immutable snapshot for each environment, swapped as a whole.

pub mod board;
pub mod frames;
pub mod history;
pub(crate) mod overlay;
pub mod publication;
pub(crate) mod publisher;

#[cfg(test)]
pub(crate) mod fixture;
