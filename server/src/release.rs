//! Releases: the commits of one deployment, with the checkpoint taken before the first of them. A release is a unit of rollback.

mod touched;

pub use self::touched::{Touch, Touched, TouchedError, touched};
