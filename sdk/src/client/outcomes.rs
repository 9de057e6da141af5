//! What was served and how it went, counted in this process and sent in batches.
//!
//! A [`Ledger`] belongs to one line of compiled states: the engine numbers what flags can serve, and keeps the numbers from one
//! state to the next while it can. Counting touches the ledger only; what the numbers stand for is looked up when a batch is
//! made.

mod measures;
mod sender;
mod tally;

use std::sync::Arc;
use std::time::Duration;

use ripcord_proto::outcome::{NumberSums, OutcomeCount, Traffic};
use ripcord_proto::{FlagKey, VariantName};

use super::changes::Step;
use crate::engine::{Compiled, CompiledFlag};
use measures::{Latencies, Numbers};
pub(crate) use sender::{Book, run};
use tally::Tally;

/// How something that was served went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// Well.
    Success,
    /// Not.
    Error,
    /// It took so long.
    Latency(Duration),
    /// A number of the application's own, by its name: what was in the basket, how many results there were. A process can
    /// report 16 names; the name has the form of a flag's key, and the number is within ±(2^53-1). What is not so is not counted.
    Number(&'static str, f64),
}

/// The counters of one line of compiled states.
#[derive(Debug)]
pub(crate) struct Ledger {
    evaluations: ByTraffic,
    successes: ByTraffic,
    errors: ByTraffic,
    latencies: ByTraffic<Latencies>,
    numbers: ByTraffic<Numbers>,
}

#[derive(Debug)]
struct ByTraffic<T = Tally> {
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
    fn of(&self, traffic: Traffic) -> &T {
        match traffic {
            Traffic::Real => &self.real,
            Traffic::Synthetic => &self.synthetic,
        }
    }
}

impl Ledger {
    /// With room for what `compiled` numbers, and for a good many changes.
    pub(crate) fn new(compiled: &Compiled) -> Self {
        let counters = compiled.counters() + compiled.counters() / 4 + 64;
        Self {
            evaluations: ByTraffic::new(|| Tally::new(counters)),
            successes: ByTraffic::new(|| Tally::new(counters)),
            errors: ByTraffic::new(|| Tally::new(counters)),
            latencies: ByTraffic::new(|| Latencies::new(counters)),
            numbers: ByTraffic::new(|| Numbers::new(counters)),
        }
    }

    /// Whether it has a counter for all that `compiled` numbers.
    pub(crate) fn has_room_for(&self, compiled: &Compiled) -> bool {
        compiled.counters() <= self.evaluations.real.counters()
    }

    /// Counts an evaluation.
    #[inline]
    pub(crate) fn evaluated(&self, counter: usize, traffic: Traffic) {
        self.evaluations.of(traffic).count(counter);
    }

    /// Counts an outcome.
    #[inline]
    pub(crate) fn went(&self, counter: usize, traffic: Traffic, outcome: Outcome) {
        match outcome {
            Outcome::Success => self.successes.of(traffic).count(counter),
            Outcome::Error => self.errors.of(traffic).count(counter),
            Outcome::Latency(latency) => self.latencies.of(traffic).count(counter, latency),
            Outcome::Number(name, number) => self.numbers.of(traffic).count(counter, name, number),
        }
    }
}

/// What the counters of a ledger stand for, and what was read from them.
#[derive(Debug)]
struct Account {
    ledger: Arc<Ledger>,
    /// By counter: the flag, and the variant or the caller's own default.
    names: Vec<Option<(FlagKey, Option<VariantName>)>>,
    read: [Read; 2],
}

/// What was read of one kind of traffic.
#[derive(Debug, Default)]
struct Read {
    counts: [Vec<u64>; 3],
    latencies: measures::ReadLatencies,
    numbers: measures::ReadNumbers,
}

impl Account {
    fn new(ledger: Arc<Ledger>) -> Self {
        Self {
            ledger,
            names: Vec::new(),
            read: Default::default(),
        }
    }

    /// Learns what the counters of the flags that `step` compiled stand for. A counter never changes its meaning, so nothing is
    /// forgotten.
    fn learn(&mut self, compiled: &Compiled, step: &Step) {
        self.names.resize(self.names.len().max(compiled.counters()), None);
        match step {
            Step::Anew => self.name_counters(compiled.flags()),
            Step::From(touched) => self.name_counters(touched.flags.iter().filter_map(|key| compiled.flag(key.as_str()))),
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

    /// What was counted since the last time.
    fn collect(&mut self) -> Vec<OutcomeCount> {
        let mut collected = Vec::new();
        for (traffic, read) in [Traffic::Real, Traffic::Synthetic].into_iter().zip(&mut self.read) {
            collected.extend(read.collect(&self.ledger, traffic, &self.names));
        }
        collected
    }
}

impl Read {
    fn collect(&mut self, ledger: &Ledger, traffic: Traffic, names: &[Option<(FlagKey, Option<VariantName>)>]) -> Vec<OutcomeCount> {
        let tallies = [&ledger.evaluations, &ledger.successes, &ledger.errors];
        let [evaluations, successes, errors] = std::array::from_fn(|place| {
            let tally = tallies.get(place).map(|tally| tally.of(traffic).totals()).unwrap_or_default();
            self.counts.get_mut(place).map(|read| since(read, tally)).unwrap_or_default()
        });
        let mut latencies = self.latencies.collect(ledger.latencies.of(traffic));
        let mut numbers = self.numbers.collect(ledger.numbers.of(traffic));
        let counts = evaluations.iter().zip(&successes).zip(&errors).zip(names).enumerate();
        let named = counts.filter_map(|(counter, (((evaluations, successes), errors), name))| {
            let (flag, variant) = name.as_ref()?;
            let (latencies_us, numbers) = (latencies.remove(&counter).unwrap_or_default(), numbers.remove(&counter).unwrap_or_default());
            let anything = *evaluations + *successes + *errors > 0 || !latencies_us.is_empty() || !numbers.is_empty();
            anything.then(|| OutcomeCount {
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

/// What came since `read`, which is `totals` from now on.
fn since(read: &mut Vec<u64>, totals: Vec<u64>) -> Vec<u64> {
    let before = std::mem::replace(read, totals.clone()).into_iter().chain(std::iter::repeat(0));
    totals.into_iter().zip(before).map(|(now, before)| now.wrapping_sub(before)).collect()
}

/// What of a process's outcomes was counted at all, for the status.
fn size(count: &OutcomeCount) -> u64 {
    let latencies: u64 = count.latencies_us.iter().map(|(_, times)| times).sum();
    let numbers: u64 = count.numbers.values().map(|NumberSums { count, .. }| count).sum();
    count.evaluations + count.successes + count.errors + latencies + numbers
}
