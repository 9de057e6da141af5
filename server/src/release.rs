//! Releases: the commits of one deployment, with the checkpoint taken before the first of them. A release is a unit of rollback.

mod changes;
mod commands;
#[cfg(test)]
mod tests;
mod view;

pub use self::changes::{ItemChanges, ReleaseChanges, ReleaseChangesError, touched};
pub use self::commands::{NewRelease, begin, finish, set};
pub use self::view::{diff, view};
