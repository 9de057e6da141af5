//! A point in time on both clocks. The protocol reads neither: whoever feeds it says when.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Now, as the two clocks have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// For durations while the process runs; never goes back.
    pub(crate) instant: Instant,
    /// For what outlives the process, and for people.
    pub(crate) wall: Timestamp,
}

impl Moment {
    /// Reads both clocks.
    pub(crate) fn now() -> Self {
        Self {
            instant: Instant::now(),
            wall: Timestamp::now(),
        }
    }

    /// This moment moved forward.
    #[cfg(test)]
    pub(crate) fn later(self, by: Duration) -> Self {
        Self {
            instant: self.instant + by,
            wall: self.wall + by,
        }
    }

    /// How long after `earlier` this is; nothing where it is not.
    pub(crate) fn since(self, earlier: Instant) -> Duration {
        self.instant.saturating_duration_since(earlier)
    }
}
