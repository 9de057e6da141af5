//! Sums per series, kept in memory and shown as metrics.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use ripcord_proto::outcome::{OutcomeCount, Traffic};
use ripcord_proto::{EnvironmentKey, FlagKey, Snapshot, VariantName};

use super::counts::Counts;
use super::query::FallingVariant;
use super::series::{SeriesQuery, SeriesSums};
use super::window::{SeriesId, Window};
use crate::telemetry::names;

/// The result of counting a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchResult {
    /// `OutcomeMeasure`.
    New {
        /// How many counts were left out, because the environment has no such flag or variant.
        unknown: usize,
    },
    /// It was counted before.
    Again,
}

/// The sum of a flag, variant and kind of traffic.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OutcomeTotal {
    pub flag: FlagKey,
    /// The variant; `None` = the caller's own default.
    pub variant: Option<VariantName>,
    /// Real users, or probes and load tests.
    pub traffic: Traffic,
    /// How often it was served.
    pub evaluations: u64,
    /// How often the call that followed succeeded.
    pub successes: u64,
    /// How often it failed.
    pub errors: u64,
}

/// A series within an environment: a flag's variant (or the caller's own default), by traffic.
pub(super) type SeriesKey = (FlagKey, Option<VariantName>, Traffic);

#[derive(Debug, Clone)]
struct Sums {
    id: SeriesId,
    counts: Counts,
}

/// The sums of one environment.
#[derive(Debug, Default)]
pub(super) struct Counters {
    series: BTreeMap<SeriesKey, Sums>,
}

/// The counts of what the environment has, ready to be added, and how many others there are.
pub(super) fn prepare<'c>(counts: &'c [OutcomeCount], snapshot: &Snapshot) -> (Vec<(SeriesKey, Counts, &'c OutcomeCount)>, usize) {
    let mut known = Vec::with_capacity(counts.len());
    for count in counts.iter().filter(|count| is_known(count, snapshot)) {
        let series = (count.flag.clone(), count.variant.clone(), count.traffic);
        known.push((series, Counts::from(count), count));
    }
    let unknown = counts.len() - known.len();
    (known, unknown)
}

impl Counters {
    /// Adds to a series and returns its id.
    pub(super) fn put(&mut self, series: SeriesKey, counts: &Counts) -> SeriesId {
        let id = SeriesId(u32::try_from(self.series.len()).unwrap_or(u32::MAX));
        let fresh = || Sums { id, counts: Counts::default() };
        let sums = self.series.entry(series).or_insert_with(fresh);
        sums.counts.add(counts);
        sums.id
    }

    /// Every series with its id in the window.
    pub(super) fn ids(&self) -> impl Iterator<Item = (&SeriesKey, SeriesId)> {
        self.series.iter().map(|(series, sums)| (series, sums.id))
    }

    /// The series of these variants with this traffic.
    pub(super) fn series_of(&self, variants: &[FallingVariant], traffic: Traffic) -> HashSet<SeriesId> {
        let key = |of: &FallingVariant| (of.flag.clone(), of.variant.clone(), traffic);
        variants.iter().filter_map(|of| self.series.get(&key(of))).map(|sums| sums.id).collect()
    }

    /// The sums of a series, now and at the moment that the query names.
    pub(super) fn sums(&self, query: &SeriesQuery, window: &Window) -> (SeriesSums, SeriesSums) {
        let sums = |traffic| {
            let key = (query.flag.clone(), Some(query.variant.clone()), traffic);
            self.series.get(&key).map_or_else(Default::default, |sums| {
                let now = sums.counts.arm(&query.what);
                let since = window.after(sums.id, query.since, &query.what);
                (now, now.since(since))
            })
        };
        let ((real, real_before), (synthetic, synthetic_before)) = (sums(Traffic::Real), sums(Traffic::Synthetic));
        (
            SeriesSums { real, synthetic },
            SeriesSums {
                real: real_before,
                synthetic: synthetic_before,
            },
        )
    }

    pub(super) fn totals(&self) -> Vec<OutcomeTotal> {
        self.series.iter().map(|(series, sums)| total(series, &sums.counts)).collect()
    }

    /// The series of which something was reported between two moments.
    pub(super) fn totals_between(&self, window: &Window, from: Timestamp, to: Timestamp) -> Vec<OutcomeTotal> {
        let counted = window.sums_between(from, to);
        let reported = self.series.iter().filter_map(|(series, sums)| Some(total(series, counted.get(&sums.id)?)));
        reported.collect()
    }
}

fn total((flag, variant, traffic): &SeriesKey, counts: &Counts) -> OutcomeTotal {
    OutcomeTotal {
        flag: flag.clone(),
        variant: variant.clone(),
        traffic: *traffic,
        evaluations: counts.evaluations,
        successes: counts.successes,
        errors: counts.errors,
    }
}

/// Counts what was left out of a batch.
pub(super) fn record_dropped(unknown: usize) {
    metrics::counter!(names::OUTCOMES_DROPPED, "why" => "unknown flag or variant").increment(unknown as u64);
}

fn is_known(count: &OutcomeCount, snapshot: &Snapshot) -> bool {
    let Some(flag) = snapshot.flags.value(count.flag.as_str()) else {
        return false;
    };
    count.variant.as_ref().is_none_or(|variant| flag.variants.get(variant.as_str()).is_some())
}

/// Adds a count to the metrics.
pub(super) fn record_metrics(environment: &EnvironmentKey, count: &OutcomeCount) {
    let traffic = match count.traffic {
        Traffic::Real => "real",
        Traffic::Synthetic => "synthetic",
    };
    let labels = || {
        vec![
            metrics::Label::new("env", environment.to_string()),
            metrics::Label::new("flag", count.flag.to_string()),
            metrics::Label::new("variant", count.variant.as_ref().map(ToString::to_string).unwrap_or_default()),
            metrics::Label::from_static_parts("traffic", traffic),
        ]
    };
    let outcome = |result: &'static str| {
        let mut labels = labels();
        labels.push(metrics::Label::from_static_parts("result", result));
        metrics::counter!(names::OUTCOMES, labels)
    };
    metrics::counter!(names::EVALUATIONS, labels()).increment(count.evaluations);
    if count.successes > 0 {
        outcome("success").increment(count.successes);
    }
    if count.errors > 0 {
        outcome("error").increment(count.errors);
    }
}
