//! The count of one revision: how fast it was confirmed, and which applications have left since.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use ripcord_proto::confirmation::Instance;

use super::connections::ConfirmationLevel;

/// How long confirmations took. Two digits are kept, in a few kilobytes, and none before the first.
#[derive(Debug, Clone, Default)]
pub(super) struct ConfirmationTimes {
    micros: Option<Box<Histogram<u32>>>,
    slowest: Option<(Duration, Arc<Instance>)>,
}

impl ConfirmationTimes {
    pub(super) fn add(&mut self, took: Duration, who: &Arc<Instance>) {
        if self.micros.is_none() {
            self.micros = Histogram::new(2).ok().map(Box::new);
        }
        if let Some(histogram) = &mut self.micros {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
            // The histogram resizes itself; a value that still does not fit would be years.
            let _ = histogram.record(micros);
        }
        if self.slowest.as_ref().is_none_or(|(slowest, _)| took > *slowest) {
            self.slowest = Some((took, Arc::clone(who)));
        }
    }

    /// The slowest application, and how long it took.
    pub(super) fn slowest(&self) -> Option<&(Duration, Arc<Instance>)> {
        self.slowest.as_ref()
    }

    /// Microseconds, and how many confirmations took about that long.
    pub(super) fn recorded(&self) -> Vec<(u64, u32)> {
        let recorded = self.micros.iter().flat_map(|histogram| histogram.iter_recorded());
        recorded.map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
    }
}

/// One value per confirmation level.
#[derive(Debug, Clone, Default)]
pub(super) struct PerLevel<T> {
    applied: T,
    fetched: T,
    sent: T,
}

impl<T> PerLevel<T> {
    pub(super) fn of(&self, level: ConfirmationLevel) -> &T {
        match level {
            ConfirmationLevel::Applied => &self.applied,
            ConfirmationLevel::Fetched => &self.fetched,
            ConfirmationLevel::Sent => &self.sent,
        }
    }

    pub(super) fn of_mut(&mut self, level: ConfirmationLevel) -> &mut T {
        match level {
            ConfirmationLevel::Applied => &mut self.applied,
            ConfirmationLevel::Fetched => &mut self.fetched,
            ConfirmationLevel::Sent => &mut self.sent,
        }
    }
}

/// Members that have left, kept as differences: a member that confirmed revisions a to b before it left adds one at a and subtracts
/// one at b + 1, so that leaving costs the same however much it confirmed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DepartedCounts {
    /// Confirmed before they left.
    pub(super) confirmed: i64,
    /// Lost for too long without having confirmed.
    pub(super) gone: i64,
}

/// How a member leaves the counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Departure {
    /// The connection was lost: it counts as gone for what it has not confirmed.
    Counted,
    /// It said goodbye: it leaves the denominator.
    Forgotten,
}

/// The count of one revision.
#[derive(Debug)]
pub(super) struct RevisionCounts {
    /// When it was swapped in.
    pub(super) at: Instant,
    /// The longest lease of the flags that it changes, in seconds; `None` if one of them has none.
    pub(super) lease: Option<u32>,
    /// Times of the applications that confirmed exactly this revision, coming from the one before.
    pub(super) times: PerLevel<ConfirmationTimes>,
    /// Differences against the revision before.
    pub(super) departed: PerLevel<DepartedCounts>,
}

impl RevisionCounts {
    pub(super) fn new(at: Instant, lease: Option<u32>, departed: PerLevel<DepartedCounts>) -> Self {
        Self {
            at,
            lease,
            times: PerLevel::default(),
            departed,
        }
    }
}

/// A confirmation that skipped revisions: `after` (not confirmed by it) to `to`.
#[derive(Debug)]
pub(super) struct CatchUp {
    pub(super) level: ConfirmationLevel,
    pub(super) after: u64,
    pub(super) to: u64,
    pub(super) at: Instant,
    pub(super) who: Arc<Instance>,
}
