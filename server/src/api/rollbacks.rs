//! `rollbacks` and what is done to one.

pub(super) mod made;
