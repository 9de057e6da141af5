//! The composition root.

pub mod entry;
