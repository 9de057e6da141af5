//! Sums, here and as metrics.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ripcord_proto::outcome::{OutcomeCount, Traffic};
use ripcord_proto::{EnvironmentKey, FlagKey, Snapshot, VariantName};

use super::counts::Counts;
use super::reports::{SeriesQuery, SeriesSums};
use super::window::{SeriesId, Window};
use crate::telemetry::names;

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchResult {
    /// It was counted, except for this many of its counts.
    New {
        /// Counts of flags or variants that are not there.
        unknown: usize,
    },
    /// It had been counted before.
    Again,
}

/// The sum of a flag, variant and kind of traffic.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OutcomeTotal {
    /// The flag.
    pub flag: FlagKey,
    /// The variant; `None` = the caller's own default.
    pub variant: Option<VariantName>,
    /// Whom it was served to.
    pub traffic: Traffic,
    /// How often it was served.
    pub evaluations: u64,
    /// How often that went well.
    pub successes: u64,
    /// How often that went wrong.
    pub errors: u64,
}

/// What is counted apart: a flag's variant (or the caller's own default) in an environment, by traffic.
pub(super) type SeriesKey = (EnvironmentKey, FlagKey, Option<VariantName>, Traffic);

#[derive(Debug, Clone)]
struct Sums {
    id: SeriesId,
    counts: Counts,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    series: BTreeMap<SeriesKey, Sums>,
}

impl Counters {
    /// Adds counts of what the environment has; each goes to `taken` too, with the series that it belongs to.
    pub(super) fn add(
        &mut self,
        environment: &EnvironmentKey,
        counts: &[OutcomeCount],
        snapshot: &Snapshot,
        mut taken: impl FnMut(SeriesId, &Counts),
    ) -> BatchResult {
        let mut unknown = 0;
        for count in counts {
            if !is_known(count, snapshot) {
                unknown += 1;
                continue;
            }
            let series = (environment.clone(), count.flag.clone(), count.variant.clone(), count.traffic);
            let counts = Counts::from(count);
            taken(self.put(series, &counts), &counts);
            meter(environment, count);
        }
        metrics::counter!(names::OUTCOMES_DROPPED, "why" => "unknown flag or variant").increment(unknown as u64);
        BatchResult::New { unknown }
    }

    /// Adds to a series, and tells which it is.
    pub(super) fn put(&mut self, series: SeriesKey, counts: &Counts) -> SeriesId {
        let id = SeriesId(u32::try_from(self.series.len()).unwrap_or(u32::MAX));
        let fresh = || Sums { id, counts: Counts::default() };
        let sums = self.series.entry(series).or_insert_with(fresh);
        sums.counts.add(counts);
        sums.id
    }

    /// Every series with what stands for it in the window.
    pub(super) fn ids(&self) -> impl Iterator<Item = (&SeriesKey, SeriesId)> {
        self.series.iter().map(|(series, sums)| (series, sums.id))
    }

    /// The series of these flags, by the traffic that they count.
    pub(super) fn series_of(&self, environment: &EnvironmentKey, flags: &BTreeSet<FlagKey>, traffic: Traffic) -> HashSet<SeriesId> {
        let own = self
            .series
            .iter()
            .filter(|((of, flag, _, kind), _)| of == environment && *kind == traffic && flags.contains(flag));
        own.map(|(_, sums)| sums.id).collect()
    }

    /// The sums of a series, and what they were at the moment that it asks for.
    pub(super) fn served(&self, environment: &EnvironmentKey, asked: &SeriesQuery, window: &Window) -> (SeriesSums, SeriesSums) {
        let sums = |traffic| {
            let key = (environment.clone(), asked.flag.clone(), Some(asked.variant.clone()), traffic);
            self.series.get(&key).map_or_else(Default::default, |sums| {
                let now = sums.counts.arm(&asked.what);
                let since = window.after(sums.id, asked.since, &asked.what);
                (now, now.since(since))
            })
        };
        let ((real, real_before), (synthetic, synthetic_before)) = (sums(Traffic::Real), sums(Traffic::Synthetic));
        let (now, before) = (
            SeriesSums { real, synthetic },
            SeriesSums {
                real: real_before,
                synthetic: synthetic_before,
            },
        );
        (now, before)
    }

    pub(super) fn totals(&self, environment: &EnvironmentKey) -> Vec<OutcomeTotal> {
        let own = self.series.iter().filter(|((of, ..), _)| of == environment);
        own.map(|((_, flag, variant, traffic), sums)| OutcomeTotal {
            flag: flag.clone(),
            variant: variant.clone(),
            traffic: *traffic,
            evaluations: sums.counts.evaluations,
            successes: sums.counts.successes,
            errors: sums.counts.errors,
        })
        .collect()
    }
}

fn is_known(count: &OutcomeCount, snapshot: &Snapshot) -> bool {
    let Some(flag) = snapshot.flags.value(count.flag.as_str()) else {
        return false;
    };
    count.variant.as_ref().is_none_or(|variant| flag.variants.get(variant.as_str()).is_some())
}

fn meter(environment: &EnvironmentKey, count: &OutcomeCount) {
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
