//! Counters that cost an evaluation next to nothing.
//!
//! Each thread counts in a stripe of its own, so that no two threads write the same cache line and no locked instruction is needed: the
//! owner loads, adds and stores. A thread gets its stripe with its first count and returns it when it ends. Threads beyond [`OWN`] share
//! one stripe, with atomic additions. Counters only grow; a reader remembers what it has read.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// The number of threads with a stripe of their own.
const OWN: usize = 128;
/// The stripe of all other threads.
pub(super) const SHARED: usize = OWN;
/// Counters per line.
const LINE: usize = 16;

/// Counters that one core can write without slowing another: two cache lines, since some processors fetch them in pairs.
#[repr(align(128))]
struct Line([AtomicU64; LINE]);

/// One counter for each of a fixed number of things, striped.
pub(crate) struct StripedCounters {
    stripes: Box<[OnceLock<Box<[Line]>>]>,
    counters: usize,
}

impl std::fmt::Debug for StripedCounters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StripedCounters").field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl StripedCounters {
    /// This many counters. Each thread allocates its own with its first count.
    pub(crate) fn new(counters: usize) -> Self {
        Self {
            stripes: (0..=SHARED).map(|_| OnceLock::new()).collect(),
            counters,
        }
    }

    pub(crate) fn counters(&self) -> usize {
        self.counters
    }

    /// Adds one. A counter that does not exist is ignored.
    #[inline]
    pub(crate) fn count(&self, counter: usize) {
        let own = own_stripe();
        let Some(stripe) = self.stripes.get(own) else { return };
        let lines = match stripe.get() {
            Some(lines) => lines,
            None => self.first_count(stripe),
        };
        let Some(counter) = lines.get(counter / LINE).and_then(|line| line.0.get(counter % LINE)) else {
            return;
        };
        if own == SHARED {
            counter.fetch_add(1, Ordering::Relaxed);
        } else {
            // No other thread writes here, so nothing can come in between.
            counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }

    #[cold]
    fn first_count<'t>(&self, stripe: &'t OnceLock<Box<[Line]>>) -> &'t [Line] {
        let lines = self.counters.div_ceil(LINE);
        stripe.get_or_init(|| (0..lines).map(|_| Line(std::array::from_fn(|_| AtomicU64::new(0)))).collect())
    }

    /// The totals over all threads, by counter.
    pub(crate) fn totals(&self) -> Vec<u64> {
        let mut totals = vec![0_u64; self.counters];
        for lines in self.stripes.iter().filter_map(OnceLock::get) {
            let counts = lines.iter().flat_map(|line| &line.0);
            for (total, count) in totals.iter_mut().zip(counts) {
                *total = total.wrapping_add(count.load(Ordering::Relaxed));
            }
        }
        totals
    }
}

/// The stripes that no thread has. A stripe changes hands under the lock, so its next owner sees everything that the last one stored.
static STRIPES: Mutex<Stripes> = Mutex::new(Stripes {
    returned: Vec::new(),
    fresh: 0,
});

struct Stripes {
    returned: Vec<usize>,
    /// This one and those above have never been used.
    fresh: usize,
}

/// A thread's ownership of its stripe.
struct Stripe(usize);

impl Stripe {
    fn take() -> Self {
        let mut stripes = STRIPES.lock();
        if let Some(returned) = stripes.returned.pop() {
            return Self(returned);
        }
        let fresh = stripes.fresh.min(SHARED);
        stripes.fresh = fresh + 1;
        Self(fresh)
    }
}

impl Drop for Stripe {
    fn drop(&mut self) {
        if self.0 != SHARED {
            STRIPES.lock().returned.push(self.0);
        }
    }
}

thread_local! {
    static STRIPE: Stripe = Stripe::take();
}

/// The stripe in which this thread counts.
#[inline]
pub(super) fn own_stripe() -> usize {
    // A thread that is ending has already returned its stripe.
    STRIPE.try_with(|stripe| stripe.0).unwrap_or(SHARED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_count_is_lost_among_threads() {
        let counters = StripedCounters::new(40);
        std::thread::scope(|scope| {
            for thread in 0..OWN + 40 {
                let counters = &counters;
                scope.spawn(move || (0..1_000).for_each(|count| counters.count((thread + count) % 40)));
            }
        });
        let sum: u64 = counters.totals().iter().sum();
        assert_eq!(sum, (OWN as u64 + 40) * 1_000);
    }

    #[test]
    fn what_a_thread_counted_outlives_it() {
        let counters = StripedCounters::new(1);
        for _ in 0..3 {
            std::thread::scope(|scope| drop(scope.spawn(|| counters.count(0))));
        }
        assert_eq!(counters.totals(), [3]);
    }

    #[test]
    fn a_counter_that_does_not_exist_is_not_counted() {
        let counters = StripedCounters::new(1);
        counters.count(1_000);
        assert_eq!(counters.totals(), [0]);
    }
}
