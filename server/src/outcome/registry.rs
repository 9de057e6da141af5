//! The counts of this node, by environment. Cheap to clone.

use std::sync::{Arc, OnceLock};

use dashmap::DashMap;
use jiff::Timestamp;
use ripcord_proto::outcome::{OutcomeBatch, Traffic};
use ripcord_proto::rollback::BadExposure;
use ripcord_proto::{EnvironmentKey, Snapshot};

use super::counters::{BatchResult, Counters, OutcomeTotal, prepare, record_dropped, record_metrics};
use super::dedup::BatchDedup;
use super::query::{FallingVariant, TotalsQuery};
use super::series::{SeriesQuery, SeriesSums};
use super::window::Window;

/// What applications have reported to this node since it started. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Outcomes {
    since: Timestamp,
    pub(super) state: Arc<OutcomeState>,
}

#[derive(Debug, Default)]
pub(super) struct OutcomeState {
    batches: BatchDedup,
    /// Each entry is a lock of its own: workers that take reports for different environments do not wait for each other, and the
    /// sums and the window of one environment are always read at the same moment.
    pub(super) environments: DashMap<EnvironmentKey, EnvironmentOutcomes>,
    /// When the first report came.
    pub(super) first_report: OnceLock<Timestamp>,
}

/// The counts of one environment.
#[derive(Debug, Default)]
pub(super) struct EnvironmentOutcomes {
    pub(super) counters: Counters,
    pub(super) window: Window,
}

/// How often flags were served between two moments, as reported to one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Exposure {
    /// How often.
    pub counts: BadExposure,
    /// The moment from which every report is counted; `None` if nothing was ever reported.
    pub since: Option<Timestamp>,
}

impl Outcomes {
    /// Counts from now on.
    pub fn new(now: Timestamp) -> Self {
        Self {
            since: now,
            state: Arc::default(),
        }
    }

    /// Since when this node counts.
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// Counts a batch once, however often it is sent. Counts of flags and variants that the environment does not have are left out,
    /// so that a client cannot create series without end; the result says how many. `key` is the id of the key that reports: a process
    /// is one of that key's.
    pub fn count(&self, environment: &EnvironmentKey, key: &str, batch: &OutcomeBatch, snapshot: &Snapshot, now: Timestamp) -> BatchResult {
        if !self.state.batches.is_new(environment, key, &batch.instance_id, batch.batch) {
            return BatchResult::Again;
        }
        // Prepared before the lock and shown as metrics after it.
        let (known, unknown) = prepare(&batch.counts, snapshot);
        if !known.is_empty() {
            self.state.first_report.get_or_init(|| now);
            let mut entry = self.state.environments.entry(environment.clone()).or_default();
            let EnvironmentOutcomes { counters, window } = &mut *entry;
            for (series, counts, _) in &known {
                let id = counters.put(series.clone(), counts);
                window.add(id, counts, now);
            }
        }
        for (_, _, count) in known {
            record_metrics(environment, count);
        }
        record_dropped(unknown);
        BatchResult::New { unknown }
    }

    /// How often these variants were served between two moments of the last hour, by the moment at which applications reported it: to
    /// the nearest five seconds.
    pub fn served_between(&self, environment: &EnvironmentKey, variants: &[FallingVariant], from: Timestamp, to: Timestamp) -> Exposure {
        let first = self.state.first_report.get().copied();
        let Some(own) = self.state.environments.get(environment) else {
            return Exposure {
                counts: BadExposure::default(),
                since: first,
            };
        };
        let of = |traffic| own.window.between(&own.counters.series_of(variants, traffic), from, to);
        let (real, synthetic) = (of(Traffic::Real), of(Traffic::Synthetic));
        Exposure {
            counts: BadExposure {
                real: real.evaluations,
                synthetic: synthetic.evaluations,
                errors_real: real.errors,
                errors_synthetic: synthetic.errors,
            },
            since: own.window.complete_since(first),
        }
    }

    /// What was reported of every variant between two moments of the last hour.
    pub fn totals_between(&self, query: &TotalsQuery) -> Vec<OutcomeTotal> {
        let own = self.state.environments.get(&query.environment);
        own.map(|own| own.counters.totals_between(&own.window, query.from, query.to))
            .unwrap_or_default()
    }

    /// The sums of these series, in their order, and what they were at the moments that the queries name.
    pub fn sums(&self, environment: &EnvironmentKey, series: &[SeriesQuery]) -> (Vec<SeriesSums>, Vec<SeriesSums>) {
        match self.state.environments.get(environment) {
            Some(own) => series.iter().map(|series| own.counters.sums(series, &own.window)).unzip(),
            None => series.iter().map(|_| (SeriesSums::default(), SeriesSums::default())).unzip(),
        }
    }

    /// The sums of an environment, by flag, variant and traffic.
    pub fn totals(&self, environment: &EnvironmentKey) -> Vec<OutcomeTotal> {
        let own = self.state.environments.get(environment);
        own.map(|own| own.counters.totals()).unwrap_or_default()
    }
}
