//! Turns counters into named counts.

use std::sync::Arc;

use ripcord_proto::outcome::{NumberSums, OutcomeCount, Traffic};
use ripcord_proto::{FlagKey, VariantName};

use super::counters::OutcomeCounters;
use super::measurements::{ReadLatencies, ReadNumbers};
use crate::client::changes::Recompile;
use crate::engine::{Compiled, CompiledFlag};

/// Reads counters: knows what they stand for and what was read before.
#[derive(Debug)]
pub(super) struct CounterReader {
    pub(super) counters: Arc<OutcomeCounters>,
    /// By counter: the flag, and the variant or `None` for the caller's default.
    names: Vec<Option<(FlagKey, Option<VariantName>)>>,
    read: [TrafficReader; 2],
}

/// What was read before, of one kind of traffic.
#[derive(Debug, Default)]
struct TrafficReader {
    counts: [Vec<u64>; 3],
    latencies: ReadLatencies,
    numbers: ReadNumbers,
}

impl CounterReader {
    pub(super) fn new(counters: Arc<OutcomeCounters>) -> Self {
        Self {
            counters,
            names: Vec::new(),
            read: Default::default(),
        }
    }

    /// Names the counters of the flags that were recompiled. A counter never changes its meaning, so no name is removed.
    pub(super) fn learn(&mut self, compiled: &Compiled, recompile: &Recompile) {
        self.names.resize(self.names.len().max(compiled.counters()), None);
        match recompile {
            Recompile::Everything => self.name_counters(compiled.flags()),
            Recompile::Only(touched) => self.name_counters(touched.flags.iter().filter_map(|key| compiled.flag(key.as_str()))),
        }
    }

    fn name_counters<'c>(&mut self, flags: impl Iterator<Item = &'c CompiledFlag>) {
        for flag in flags {
            let variants = flag.variants().iter().map(Some).chain([None]);
            let slots = self.names.get_mut(flag.counter_base()..).unwrap_or_default();
            for (slot, variant) in slots.iter_mut().zip(variants) {
                slot.get_or_insert_with(|| (flag.key().clone(), variant.cloned()));
            }
        }
    }

    /// What was counted since the last call.
    pub(super) fn collect(&mut self) -> Vec<OutcomeCount> {
        let mut collected = Vec::new();
        for (traffic, read) in [Traffic::Real, Traffic::Synthetic].into_iter().zip(&mut self.read) {
            collected.extend(read.collect(&self.counters, traffic, &self.names));
        }
        collected
    }
}

impl TrafficReader {
    fn collect(&mut self, counters: &OutcomeCounters, traffic: Traffic, names: &[Option<(FlagKey, Option<VariantName>)>]) -> Vec<OutcomeCount> {
        let tallies = [&counters.evaluations, &counters.successes, &counters.errors];
        let [evaluations, successes, errors] = std::array::from_fn(|index| {
            let totals = tallies.get(index).map(|counters| counters.of(traffic).totals()).unwrap_or_default();
            self.counts.get_mut(index).map(|read| since(read, totals)).unwrap_or_default()
        });
        let mut latencies = self.latencies.collect(counters.latencies.of(traffic));
        let mut numbers = self.numbers.collect(counters.numbers.of(traffic));
        let counts = evaluations.iter().zip(&successes).zip(&errors).zip(names).enumerate();
        let named = counts.filter_map(|(counter, (((evaluations, successes), errors), name))| {
            let (flag, variant) = name.as_ref()?;
            let (latencies_us, numbers) = (latencies.remove(&counter).unwrap_or_default(), numbers.remove(&counter).unwrap_or_default());
            let is_counted = *evaluations + *successes + *errors > 0 || !latencies_us.is_empty() || !numbers.is_empty();
            is_counted.then(|| OutcomeCount {
                flag: flag.clone(),
                variant: variant.clone(),
                traffic,
                evaluations: *evaluations,
                successes: *successes,
                errors: *errors,
                latencies_us,
                numbers,
            })
        });
        named.collect()
    }
}

/// The increase from `read` to `totals`, which replaces it.
fn since(read: &mut Vec<u64>, totals: Vec<u64>) -> Vec<u64> {
    let before = std::mem::replace(read, totals.clone()).into_iter().chain(std::iter::repeat(0));
    totals.into_iter().zip(before).map(|(now, before)| now.wrapping_sub(before)).collect()
}

/// How many evaluations, outcomes and numbers it holds.
pub(super) fn size(count: &OutcomeCount) -> u64 {
    let latencies: u64 = count.latencies_us.iter().map(|(_, times)| times).sum();
    let numbers: u64 = count.numbers.values().map(|NumberSums { count, .. }| count).sum();
    count.evaluations + count.successes + count.errors + latencies + numbers
}
