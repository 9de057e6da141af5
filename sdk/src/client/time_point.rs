//! A point in time on the monotonic and on the wall clock. The protocol reads neither clock: its caller passes the time in.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The same moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimePoint {
    /// For durations while the process runs. It never goes back.
    pub(crate) instant: Instant,
    /// For what outlives the process, and for display.
    pub(crate) wall: Timestamp,
}

impl TimePoint {
    /// Reads both clocks.
    pub(crate) fn now() -> Self {
        Self {
            instant: Instant::now(),
            wall: Timestamp::now(),
        }
    }

    /// A later moment.
    #[cfg(test)]
    pub(crate) fn later(self, by: Duration) -> Self {
        Self {
            instant: self.instant + by,
            wall: self.wall + by,
        }
    }

    /// The time from `earlier` to this; zero if `earlier` is later.
    pub(crate) fn since(self, earlier: Instant) -> Duration {
        self.instant.saturating_duration_since(earlier)
    }
}
