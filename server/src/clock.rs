//! What time it is. Only this file asks the operating system; everything else is handed a [`Clock`].

use std::fmt::Debug;

use jiff::Timestamp;

/// Wall-clock time.
pub trait Clock: Send + Sync + Debug + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
