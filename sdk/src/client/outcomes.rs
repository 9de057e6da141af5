//! What was served and how it went, counted in this process and sent in batches.
//!
//! A [`Ledger`] belongs to one line of compiled states: the engine numbers what flags can serve, and keeps the numbers from one
//! state to the next while it can. Counting touches the ledger only; what the numbers stand for is looked up when a batch is
//! made.

mod sender;
mod tally;

use std::sync::Arc;

use ripcord_proto::outcome::{OutcomeCount, Traffic};
use ripcord_proto::{FlagKey, VariantName};

use super::changes::Step;
use crate::engine::{Compiled, CompiledFlag};
pub(crate) use sender::{Book, run};
use tally::Tally;

/// How something that was served went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Well.
    Success,
    /// Not.
    Error,
}

/// The counters of one line of compiled states.
#[derive(Debug)]
pub(crate) struct Ledger {
    evaluations: ByTraffic,
    successes: ByTraffic,
    errors: ByTraffic,
}

#[derive(Debug)]
struct ByTraffic {
    real: Tally,
    synthetic: Tally,
}

impl ByTraffic {
    fn new(counters: usize) -> Self {
        Self {
            real: Tally::new(counters),
            synthetic: Tally::new(counters),
        }
    }

    #[inline]
    fn of(&self, traffic: Traffic) -> &Tally {
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
            evaluations: ByTraffic::new(counters),
            successes: ByTraffic::new(counters),
            errors: ByTraffic::new(counters),
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
    pub(crate) fn went(&self, counter: usize, traffic: Traffic, outcome: Outcome) {
        match outcome {
            Outcome::Success => self.successes.of(traffic).count(counter),
            Outcome::Error => self.errors.of(traffic).count(counter),
        }
    }
}

/// What the counters of a ledger stand for, and what was read from them.
#[derive(Debug)]
struct Account {
    ledger: Arc<Ledger>,
    /// By counter: the flag, and the variant or the caller's own default.
    names: Vec<Option<(FlagKey, Option<VariantName>)>>,
    read: [Vec<u64>; 6],
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
        let ledger = Arc::clone(&self.ledger);
        let mut since = |place: usize, tally: &Tally| {
            let totals = tally.totals();
            let before = self.read.get_mut(place).map(|read| std::mem::replace(read, totals.clone())).unwrap_or_default();
            let before = before.into_iter().chain(std::iter::repeat(0));
            totals
                .into_iter()
                .zip(before)
                .map(|(now, before)| now.wrapping_sub(before))
                .collect::<Vec<u64>>()
        };
        let real = [
            since(0, &ledger.evaluations.real),
            since(1, &ledger.successes.real),
            since(2, &ledger.errors.real),
        ];
        let synthetic = [
            since(3, &ledger.evaluations.synthetic),
            since(4, &ledger.successes.synthetic),
            since(5, &ledger.errors.synthetic),
        ];
        let mut counts = self.name(Traffic::Real, &real);
        counts.extend(self.name(Traffic::Synthetic, &synthetic));
        counts
    }

    fn name(&self, traffic: Traffic, [evaluations, successes, errors]: &[Vec<u64>; 3]) -> Vec<OutcomeCount> {
        let counts = evaluations.iter().zip(successes).zip(errors).zip(&self.names);
        let named = counts.filter_map(|(((evaluations, successes), errors), name)| {
            let (flag, variant) = name.as_ref()?;
            let anything = *evaluations + *successes + *errors > 0;
            anything.then(|| OutcomeCount {
                flag: flag.clone(),
                variant: variant.clone(),
                traffic,
                evaluations: *evaluations,
                successes: *successes,
                errors: *errors,
            })
        });
        named.collect()
    }
}
