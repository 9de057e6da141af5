//! `rollbacks` and what is done to one.

pub(super) mod actions;
pub(super) mod create;
pub(super) mod read;
pub(super) mod undo;
