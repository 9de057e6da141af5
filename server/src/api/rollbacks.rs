//! `rollbacks` and what is done to one.

pub(super) mod acts;
pub(super) mod kept;
pub(super) mod made;
pub(super) mod undo;
