//! Wall-clock time. In the server only this file asks the operating system; all other files use a [`Clock`], and clippy sees to it
//! (`.clippy.toml`).

#[cfg(test)]
pub(crate) mod fixture;

use std::fmt::Debug;

use jiff::Timestamp;

/// Wall-clock time.
pub trait Clock: Send + Sync + Debug + 'static {
    fn now(&self) -> Timestamp;
}

/// A new id, made at `now`: the ids of a later millisecond sort behind it.
pub fn new_id<I>(now: Timestamp, from_parts: impl FnOnce(u64, u128) -> I) -> I {
    from_parts(unix_millis(now), rand::random())
}

/// Milliseconds since 1970; 0 before.
pub fn unix_millis(time: Timestamp) -> u64 {
    u64::try_from(time.as_millisecond()).unwrap_or_default()
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock of the operating system")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
