//! Latencies and numbers, striped like the counters: each thread writes its own, without locks, and allocates only with its first
//! report for a flag's variant.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use ripcord_proto::key::NumberName;
use ripcord_proto::limits;
use ripcord_proto::outcome::{LatencyBucket, NUMBERS, NumberSums};

use super::striped_counters::{SHARED, own_stripe};

type Cells<T> = Box<[OnceLock<Box<T>>]>;

/// A `T` per stripe and counter, created with the first report.
struct Striped<T> {
    stripes: Box<[OnceLock<Cells<T>>]>,
    counters: usize,
}

impl<T: Default> Striped<T> {
    fn new(counters: usize) -> Self {
        Self {
            stripes: (0..=SHARED).map(|_| OnceLock::new()).collect(),
            counters,
        }
    }

    /// The `T` of this thread; `None` for a counter that does not exist.
    #[inline]
    fn own(&self, stripe: usize, counter: usize) -> Option<&T> {
        let lazily = self.stripes.get(stripe)?;
        let cells = match lazily.get() {
            Some(cells) => cells,
            None => lazily.get_or_init(|| (0..self.counters).map(|_| OnceLock::new()).collect()),
        };
        let cell = cells.get(counter)?;
        Some(match cell.get() {
            Some(own) => own,
            None => cell.get_or_init(Box::default),
        })
    }

    /// All that exist, with their counters.
    fn all(&self) -> impl Iterator<Item = (usize, &T)> {
        let stripes = self.stripes.iter().filter_map(OnceLock::get);
        let cells = stripes.flat_map(|cells| cells.iter().enumerate());
        cells.filter_map(|(counter, cell)| Some((counter, &**cell.get()?)))
    }
}

/// A histogram of latencies for each counter.
pub(super) struct Latencies(Striped<Histogram>);

struct Histogram([AtomicU32; LatencyBucket::COUNT]);

impl Default for Histogram {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU32::new(0)))
    }
}

impl std::fmt::Debug for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Latencies").finish_non_exhaustive()
    }
}

impl Latencies {
    pub(super) fn new(counters: usize) -> Self {
        Self(Striped::new(counters))
    }

    #[inline]
    pub(super) fn count(&self, counter: usize, latency: Duration) {
        let micros = latency.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(latency.subsec_micros()));
        let stripe = own_stripe();
        let Some(class) = self
            .0
            .own(stripe, counter)
            .and_then(|histogram| histogram.0.get(LatencyBucket::of(micros).place()))
        else {
            return;
        };
        if stripe == SHARED {
            class.fetch_add(1, Ordering::Relaxed);
        } else {
            // No other thread writes here, so nothing can come in between.
            class.store(class.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }
}

/// The latencies that were read before, by counter and bucket.
#[derive(Debug, Default)]
pub(super) struct ReadLatencies(HashMap<usize, Vec<u32>>);

impl ReadLatencies {
    /// What was reported since the last call: by counter, pairs of microseconds and count.
    pub(super) fn collect(&mut self, latencies: &Latencies) -> HashMap<usize, Vec<(u64, u64)>> {
        let mut totals: HashMap<usize, Vec<u32>> = HashMap::new();
        for (counter, histogram) in latencies.0.all() {
            let sums = totals.entry(counter).or_insert_with(|| vec![0; LatencyBucket::COUNT]);
            for (sum, class) in sums.iter_mut().zip(&histogram.0) {
                *sum = sum.wrapping_add(class.load(Ordering::Relaxed));
            }
        }
        let came = totals.iter().map(|(counter, now)| {
            let before = self.0.get(counter).map(Vec::as_slice).unwrap_or_default();
            let before = before.iter().copied().chain(std::iter::repeat(0));
            let came = now.iter().zip(before).enumerate().filter_map(|(place, (now, before))| {
                let times = now.wrapping_sub(before);
                (times > 0).then(|| (LatencyBucket::at(place).shortest(), u64::from(times)))
            });
            (*counter, came.collect::<Vec<_>>())
        });
        let came = came.filter(|(_, pairs)| !pairs.is_empty()).collect();
        self.0 = totals;
        came
    }
}

/// Numbers, by name.
pub(super) struct Numbers {
    /// The names in use, in the order of their first report.
    names: [OnceLock<&'static str>; NUMBERS],
    sums: Striped<[Sums; NUMBERS]>,
}

/// How often a number was reported, and the bits of the sum and of the sum of squares.
#[derive(Default)]
struct Sums {
    count: AtomicU64,
    sum: AtomicU64,
    squares: AtomicU64,
}

impl std::fmt::Debug for Numbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Numbers").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Numbers {
    pub(super) fn new(counters: usize) -> Self {
        Self {
            names: Default::default(),
            sums: Striped::new(counters),
        }
    }

    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "2^53-1 is exact")]
    pub(super) fn count(&self, counter: usize, name: &'static str, number: f64) {
        // NaN and numbers beyond the limit would spoil the sum.
        if number.abs() <= limits::NUMBER_MAX as f64
            && let Some(place) = self.place(name)
        {
            let stripe = own_stripe();
            let sums = self.sums.own(stripe, counter).and_then(|sums| sums.get(place));
            if let Some(sums) = sums {
                sums.add(number, stripe == SHARED);
            }
        }
    }

    /// The index of a name. A new name gets one if it is well-formed and there is room.
    #[inline]
    fn place(&self, name: &'static str) -> Option<usize> {
        for (place, slot) in self.names.iter().enumerate() {
            let known = match slot.get() {
                Some(known) => known,
                None => Self::take(slot, name)?,
            };
            if std::ptr::eq(*known, name) || *known == name {
                return Some(place);
            }
        }
        None
    }

    #[cold]
    fn take<'s>(slot: &'s OnceLock<&'static str>, name: &'static str) -> Option<&'s &'static str> {
        NumberName::new(name).is_ok().then(|| slot.get_or_init(|| name))
    }
}

impl Sums {
    #[inline]
    fn add(&self, number: f64, is_shared: bool) {
        if is_shared {
            for (sum, more) in [(&self.sum, number), (&self.squares, number * number)] {
                // It always succeeds: the closure never returns `None`.
                let _ = sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| Some((f64::from_bits(bits) + more).to_bits()));
            }
            self.count.fetch_add(1, Ordering::Relaxed);
            return;
        }
        for (sum, more) in [(&self.sum, number), (&self.squares, number * number)] {
            sum.store((f64::from_bits(sum.load(Ordering::Relaxed)) + more).to_bits(), Ordering::Relaxed);
        }
        self.count.store(self.count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    fn read(&self) -> NumberSums {
        NumberSums {
            count: self.count.load(Ordering::Relaxed),
            sum: f64::from_bits(self.sum.load(Ordering::Relaxed)),
            squares: f64::from_bits(self.squares.load(Ordering::Relaxed)),
        }
    }
}

/// What was read of numbers, by counter and place.
#[derive(Debug, Default)]
pub(super) struct ReadNumbers(HashMap<(usize, usize), NumberSums>);

impl ReadNumbers {
    /// What came since the last time.
    pub(super) fn collect(&mut self, numbers: &Numbers) -> HashMap<usize, BTreeMap<NumberName, NumberSums>> {
        let mut totals: HashMap<(usize, usize), NumberSums> = HashMap::new();
        for (counter, sums) in numbers.sums.all() {
            for (place, sums) in sums.iter().enumerate() {
                totals.entry((counter, place)).or_default().add(sums.read());
            }
        }
        let mut came: HashMap<usize, BTreeMap<NumberName, NumberSums>> = HashMap::new();
        for ((counter, place), now) in &mut totals {
            let before = self.0.get(&(*counter, *place)).copied().unwrap_or_default();
            if now.count == before.count {
                // A report that is halfway in is read whole the next time.
                *now = before;
                continue;
            }
            let name = numbers.names.get(*place).and_then(OnceLock::get).and_then(|name| NumberName::new(name).ok());
            if let Some(name) = name {
                let since = NumberSums {
                    count: now.count - before.count,
                    sum: now.sum - before.sum,
                    squares: (now.squares - before.squares).max(0.0),
                };
                came.entry(*counter).or_default().insert(name, since);
            }
        }
        self.0 = totals;
        came
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_collected_once_by_class_from_all_threads() {
        let (latencies, mut read) = (Latencies::new(3), ReadLatencies::default());
        std::thread::scope(|scope| {
            for _ in 0..200 {
                scope.spawn(|| (0..100).for_each(|_| latencies.count(1, Duration::from_millis(300))));
            }
        });
        latencies.count(2, Duration::from_secs(1_000_000));
        latencies.count(7, Duration::from_secs(1));
        let came = read.collect(&latencies);
        let (micros, times) = came[&1][0];
        assert_eq!((came[&1].len(), times), (1, 20_000));
        assert!((290_000..=300_000).contains(&micros), "{micros}");
        assert_eq!((came[&2][0].1, came.len()), (1, 2));
        assert!(read.collect(&latencies).is_empty());
    }

    #[test]
    fn numbers_are_collected_once_by_name_from_all_threads() {
        let (numbers, mut read) = (Numbers::new(2), ReadNumbers::default());
        std::thread::scope(|scope| {
            for _ in 0..200 {
                scope.spawn(|| (0..100).for_each(|_| numbers.count(0, "basket", 2.5)));
            }
        });
        for odd in [f64::NAN, f64::INFINITY, 1e300] {
            numbers.count(0, "basket", odd);
        }
        numbers.count(0, "not a name", 1.0);
        numbers.count(1, "items", -3.0);
        let came = read.collect(&numbers);
        let sums = |count: u32, each: f64| NumberSums {
            count: count.into(),
            sum: f64::from(count) * each,
            squares: f64::from(count) * each * each,
        };
        assert_eq!(came[&0], BTreeMap::from([(NumberName::new("basket").unwrap(), sums(20_000, 2.5))]));
        assert_eq!(came[&1], BTreeMap::from([(NumberName::new("items").unwrap(), sums(1, -3.0))]));
        assert!(read.collect(&numbers).is_empty());
    }

    #[test]
    fn more_names_than_there_is_room_for_are_not_counted() {
        let (numbers, mut read) = (Numbers::new(1), ReadNumbers::default());
        let names: [&'static str; 17] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q"];
        for name in names {
            numbers.count(0, name, 1.0);
        }
        assert_eq!(read.collect(&numbers)[&0].len(), NUMBERS);
    }
}
