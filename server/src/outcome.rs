//! Outcomes: what applications report of the variants that they serve, summed up.

mod counters;
mod counts;
mod dedup;
mod peers;
pub mod persistence;
pub mod reports;
mod stale;
pub mod statistics;
#[cfg(test)]
mod tests;
mod window;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use ripcord_proto::outcome::{OutcomeBatch, Traffic};
use ripcord_proto::rollback::ServedBad;
use ripcord_proto::{EnvironmentKey, FlagKey, Snapshot};

use self::counters::Counters;
pub use self::counters::{BatchResult, OutcomeTotal};
use self::dedup::BatchDedup;
#[cfg(test)]
pub use self::peers::NoPeerOutcomes;
pub use self::peers::{ExposureQuery, PeerExposure, PeerOutcomes};
pub use self::stale::stale;
use self::window::Window;

/// What has been reported since this node started. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Outcomes {
    since: Timestamp,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    counters: Counters,
    seen: BatchDedup,
    window: Window,
}

/// How often flags were served between two moments, as far as applications have reported it to this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Exposure {
    /// How often.
    pub counts: ServedBad,
    /// From when on every report is counted; `None` where nothing was ever reported.
    pub since: Option<Timestamp>,
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
    pub fn count(&self, environment: &EnvironmentKey, batch: &OutcomeBatch, snapshot: &Snapshot, now: Timestamp) -> BatchResult {
        let mut inner = self.inner.lock();
        if !inner.seen.is_new(&batch.instance_id, batch.batch) {
            return BatchResult::Again;
        }
        let Inner { counters, window, .. } = &mut *inner;
        counters.add(environment, &batch.counts, snapshot, |series, counts| window.add(series, counts, now))
    }

    /// How often these flags were served between two moments of the last hour, whatever the variant, by the moment at which
    /// applications reported it: to the nearest five seconds.
    pub fn served_between(&self, environment: &EnvironmentKey, flags: &BTreeSet<FlagKey>, from: Timestamp, to: Timestamp) -> Exposure {
        let inner = self.inner.lock();
        let of = |traffic| inner.window.between(&inner.counters.series_of(environment, flags, traffic), from, to);
        let (real, synthetic) = (of(Traffic::Real), of(Traffic::Synthetic));
        Exposure {
            counts: ServedBad {
                real: real.evaluations,
                synthetic: synthetic.evaluations,
                errors_real: real.errors,
                errors_synthetic: synthetic.errors,
            },
            since: inner.window.since(),
        }
    }

    /// The sums of these series, in their order, and what they were at the moments that were asked for.
    pub fn sums(&self, environment: &EnvironmentKey, series: &[reports::SeriesQuery]) -> (Vec<reports::SeriesSums>, Vec<reports::SeriesSums>) {
        let inner = self.inner.lock();
        series.iter().map(|series| inner.counters.served(environment, series, &inner.window)).unzip()
    }

    /// The sums of an environment, by flag, variant and traffic.
    pub fn totals(&self, environment: &EnvironmentKey) -> Vec<OutcomeTotal> {
        self.inner.lock().counters.totals(environment)
    }
}
