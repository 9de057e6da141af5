//! Outcomes: what applications report of the variants that they serve, summed up.

mod counters;
mod seen;
mod stale;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use ripcord_proto::outcome::OutcomeBatch;
use ripcord_proto::{EnvironmentKey, Snapshot};

use self::counters::Counters;
pub use self::counters::{Counted, Total};
use self::seen::Seen;
pub use self::stale::stale;

/// What has been reported since this node started. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outcomes {
    since: Timestamp,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    counters: Counters,
    seen: Seen,
}

impl Outcomes {
    /// Counts from now on.
    pub fn new(now: Timestamp) -> Self {
        Self {
            since: now,
            inner: Arc::default(),
        }
    }

    /// Since when this node counts.
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// Counts a batch once, however often it is sent. Counts of flags and variants that the environment does not have are
    /// left out, so that nobody can make up series without end; the answer says how many.
    pub fn count(&self, environment: &EnvironmentKey, batch: &OutcomeBatch, snapshot: &Snapshot) -> Counted {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.seen.is_new(&batch.instance_id, batch.batch) {
            return Counted::Again;
        }
        inner.counters.add(environment, &batch.counts, snapshot)
    }

    /// The sums of an environment, by flag, variant and traffic.
    pub fn totals(&self, environment: &EnvironmentKey) -> Vec<Total> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).counters.totals(environment)
    }
}
