//! Releases: the commits of one deployment, with the checkpoint taken before the first of them. A release is a unit of rollback.

mod keep;
mod show;
#[cfg(test)]
mod tests;
mod touched;

pub use self::keep::{Beginning, begin, finish, set};
pub use self::show::{diff, view};
pub use self::touched::{Touch, Touched, TouchedError, touched};
