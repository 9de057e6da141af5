//! The counters that evaluations and outcomes write.

use ripcord_proto::outcome::Traffic;

use super::measurements::{Latencies, Numbers};
use super::outcome::Outcome;
use super::striped_counters::StripedCounters;
use crate::engine::Compiled;

/// The counters of the states that share one numbering.
#[derive(Debug)]
pub(crate) struct OutcomeCounters {
    pub(super) evaluations: ByTraffic,
    pub(super) successes: ByTraffic,
    pub(super) errors: ByTraffic,
    pub(super) latencies: ByTraffic<Latencies>,
    pub(super) numbers: ByTraffic<Numbers>,
}

#[derive(Debug)]
pub(super) struct ByTraffic<T = StripedCounters> {
    real: T,
    synthetic: T,
}

impl<T> ByTraffic<T> {
    fn new(make: impl Fn() -> T) -> Self {
        Self {
            real: make(),
            synthetic: make(),
        }
    }

    #[inline]
    pub(super) fn of(&self, traffic: Traffic) -> &T {
        match traffic {
            Traffic::Real => &self.real,
            Traffic::Synthetic => &self.synthetic,
        }
    }
}

impl OutcomeCounters {
    /// With a counter for each number of `compiled`, and room for later ones.
    pub(crate) fn new(compiled: &Compiled) -> Self {
        let counters = compiled.counters() + compiled.counters() / 4 + 64;
        Self {
            evaluations: ByTraffic::new(|| StripedCounters::new(counters)),
            successes: ByTraffic::new(|| StripedCounters::new(counters)),
            errors: ByTraffic::new(|| StripedCounters::new(counters)),
            latencies: ByTraffic::new(|| Latencies::new(counters)),
            numbers: ByTraffic::new(|| Numbers::new(counters)),
        }
    }

    /// Whether there is a counter for each number of `compiled`.
    pub(crate) fn has_room_for(&self, compiled: &Compiled) -> bool {
        compiled.counters() <= self.evaluations.real.counters()
    }

    #[inline]
    pub(crate) fn evaluated(&self, counter: usize, traffic: Traffic) {
        self.evaluations.of(traffic).count(counter);
    }

    #[inline]
    pub(crate) fn record(&self, counter: usize, traffic: Traffic, outcome: Outcome) {
        match outcome {
            Outcome::Success => self.successes.of(traffic).count(counter),
            Outcome::Error => self.errors.of(traffic).count(counter),
            Outcome::Latency(latency) => self.latencies.of(traffic).count(counter, latency),
            Outcome::Number(name, number) => self.numbers.of(traffic).count(counter, name, number),
        }
    }
}
