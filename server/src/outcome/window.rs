//! The outcomes of the last hour of one environment, by time: how often each series was reported between two moments.
//!
//! Counts are kept in slots of five seconds, by the time at which they were reported; empty slots are not stored. A slot is
//! dropped as a whole, after an hour or when the window holds [`ENTRIES`] counts (some 20 MB); [`Window::complete_since`] says how far back
//! it then reaches.

use std::collections::{HashMap, HashSet, VecDeque};

use jiff::Timestamp;
use ripcord_proto::gate::{Arm, OutcomeMeasure};

use super::counts::Counts;

/// Seconds of a slot.
pub(super) const SLOT: i64 = 5;
/// Slots that are kept: an hour.
const SLOTS: i64 = 3_600 / SLOT;
/// Most counts over all slots of an environment.
const ENTRIES: usize = 500_000;

/// A series: one flag, variant and kind of traffic of the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SeriesId(pub(super) u32);

#[derive(Debug)]
struct Slot {
    number: i64,
    counts: HashMap<SeriesId, Counts>,
}

#[derive(Debug, Default)]
pub(super) struct Window {
    slots: VecDeque<Slot>,
    entries: usize,
    /// End of the newest slot that was dropped.
    dropped: Option<i64>,
}

impl Window {
    /// Adds counts that were reported `now`. If the clock went back, they go into the newest slot.
    pub(super) fn add(&mut self, series: SeriesId, counts: &Counts, now: Timestamp) {
        self.add_to(number(now), series, counts);
    }

    /// Adds counts to the slot of this number, or to the newest one if that is later.
    pub(super) fn add_to(&mut self, number: i64, series: SeriesId, counts: &Counts) {
        let newest = self.slots.back().map_or(i64::MIN, |slot| slot.number);
        let number = number.max(newest);
        if number > newest {
            self.slots.push_back(Slot {
                number,
                counts: HashMap::new(),
            });
            self.forget_before(number - SLOTS);
        }
        if let Some(slot) = self.slots.back_mut() {
            let known = slot.counts.get(&series).map_or(0, Counts::size);
            let own = slot.counts.entry(series).or_default();
            own.add(counts);
            self.entries += own.size() - known;
        }
        while self.entries > ENTRIES && self.slots.len() > 1 {
            self.drop_oldest();
        }
    }

    fn forget_before(&mut self, oldest: i64) {
        while self.slots.front().is_some_and(|slot| slot.number < oldest) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(slot) = self.slots.pop_front() {
            self.entries -= slot.counts.values().map(Counts::size).sum::<usize>();
            self.dropped = Some(slot.number + 1);
        }
    }

    /// The sum of what was reported of `series` from the slot of `from` to the slot of `to`.
    pub(super) fn between(&self, series: &HashSet<SeriesId>, from: Timestamp, to: Timestamp) -> Counts {
        let (first, last) = (number(from), number(to));
        let mut sum = Counts::default();
        for slot in self.slots.iter().filter(|slot| (first..=last).contains(&slot.number)) {
            for (id, counts) in &slot.counts {
                if series.contains(id) {
                    sum.add(counts);
                }
            }
        }
        sum
    }

    /// The sums of all series from the slot of `from` to the slot of `to`.
    pub(super) fn sums_between(&self, from: Timestamp, to: Timestamp) -> HashMap<SeriesId, Counts> {
        let (first, last) = (number(from), number(to));
        let mut sums = HashMap::<SeriesId, Counts>::new();
        for slot in self.slots.iter().filter(|slot| (first..=last).contains(&slot.number)) {
            for (id, counts) in &slot.counts {
                sums.entry(*id).or_default().add(counts);
            }
        }
        sums
    }

    /// What was reported of a series since the end of the slot of `since`.
    pub(super) fn after(&self, series: SeriesId, since: Timestamp, what: &OutcomeMeasure) -> Arm {
        let slots = self.slots.iter().rev().take_while(|slot| slot.number > number(since));
        let own = slots.filter_map(|slot| slot.counts.get(&series));
        own.fold(Arm::default(), |sum, counts| sum.and(counts.arm(what)))
    }

    /// The slots after `number` that are over at `now`, with their numbers.
    pub(super) fn over(&self, after: i64, now: Timestamp) -> impl Iterator<Item = (i64, &HashMap<SeriesId, Counts>)> {
        let open = number(now);
        let over = self.slots.iter().filter(move |slot| slot.number > after && slot.number < open);
        over.map(|slot| (slot.number, &slot.counts))
    }

    /// When a slot begins.
    pub(super) fn begin_of(number: i64) -> Option<Timestamp> {
        Timestamp::from_second(number * SLOT).ok()
    }

    /// The number of the slot that is open at a moment.
    pub(super) fn open(now: Timestamp) -> i64 {
        number(now)
    }

    /// How many slots are kept.
    pub(super) const fn reach() -> i64 {
        SLOTS
    }

    /// The moment from which every report is in the window, if the first one came at `first`; `None` if nothing was ever reported.
    pub(super) fn complete_since(&self, first: Option<Timestamp>) -> Option<Timestamp> {
        self.dropped.and_then(Self::begin_of).max(first)
    }
}

fn number(at: Timestamp) -> i64 {
    at.as_second().div_euclid(SLOT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn counts(evaluations: u64) -> Counts {
        Counts {
            evaluations,
            errors: 1,
            ..Counts::default()
        }
    }

    fn of(ids: &[u32]) -> HashSet<SeriesId> {
        ids.iter().copied().map(SeriesId).collect()
    }

    #[test]
    fn what_was_reported_between_two_moments_is_summed() {
        let mut window = Window::default();
        for second in 0..60 {
            window.add(SeriesId(1), &counts(10), at(second));
            window.add(SeriesId(2), &counts(1), at(second));
        }
        let sum = window.between(&of(&[1]), at(10), at(19));
        assert_eq!((sum.evaluations, sum.errors), (100, 10));
        assert_eq!(window.between(&of(&[1, 2]), at(0), at(59)).evaluations, 660);
        assert_eq!(window.between(&of(&[3]), at(0), at(59)).evaluations, 0);
        assert_eq!(window.complete_since(Some(at(0))), Some(at(0)));
    }

    #[test]
    fn after_an_hour_it_says_how_far_back_it_reaches() {
        let mut window = Window::default();
        for minute in 0..90 {
            window.add(SeriesId(1), &counts(1), at(minute * 60));
        }
        let since = window.complete_since(Some(at(0))).unwrap();
        assert!(since > at(25 * 60) && since <= at(30 * 60), "{since}");
        assert_eq!(window.between(&of(&[1]), at(0), at(90 * 60)).evaluations, 61);
    }

    #[test]
    fn more_series_than_there_is_room_for_shorten_it() {
        let mut window = Window::default();
        for second in 0..4 {
            for id in 0..200_000 {
                window.add(SeriesId(id), &counts(1), at(second * SLOT));
            }
        }
        assert!(window.entries <= ENTRIES, "{}", window.entries);
        assert_eq!(window.complete_since(Some(at(0))), Some(at(2 * SLOT)));
    }

    #[test]
    fn a_clock_that_goes_back_loses_nothing() {
        let mut window = Window::default();
        window.add(SeriesId(1), &counts(1), at(100));
        window.add(SeriesId(1), &counts(1), at(50));
        assert_eq!(window.between(&of(&[1]), at(0), at(200)).evaluations, 2);
    }
}
