//! Wall-clock time. In the server only this file asks the operating system; all other files use a [`Clock`], and clippy sees to it
//! (`.clippy.toml`).

use std::fmt::Debug;

use jiff::Timestamp;

/// Wall-clock time.
pub trait Clock: Send + Sync + Debug + 'static {
    fn now(&self) -> Timestamp;
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
