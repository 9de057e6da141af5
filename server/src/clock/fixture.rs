//! For tests: a clock that a test can set.

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use super::{Clock, SystemClock};

/// A clock that runs with tokio's, so that paused time is paused for it too.
#[derive(Debug)]
pub(crate) struct TokioClock {
    started: Timestamp,
    since: tokio::time::Instant,
    /// By how much it was set forward.
    offset: Mutex<SignedDuration>,
}

impl TokioClock {
    /// Starts at the current time.
    pub(crate) fn start() -> Self {
        Self {
            started: SystemClock.now(),
            since: tokio::time::Instant::now(),
            offset: Mutex::default(),
        }
    }

    /// Sets it forward, or back.
    pub(crate) fn jump(&self, seconds: i64) {
        *self.offset.lock() += SignedDuration::from_secs(seconds);
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.started + SignedDuration::try_from(self.since.elapsed()).unwrap() + *self.offset.lock()
    }
}
