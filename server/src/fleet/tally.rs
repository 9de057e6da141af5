//! The count of one revision: how fast it was confirmed, and who left since.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use ripcord_proto::confirmation::Instance;

use super::connections::Rung;

/// How long confirmations took. Two digits are kept, in a few kilobytes, and none before the first.
#[derive(Debug, Clone, Default)]
pub(super) struct Times {
    micros: Option<Box<Histogram<u32>>>,
    slowest: Option<(Duration, Arc<Instance>)>,
}

impl Times {
    pub(super) fn add(&mut self, took: Duration, who: &Arc<Instance>) {
        if self.micros.is_none() {
            self.micros = Histogram::new(2).ok().map(Box::new);
        }
        if let Some(histogram) = &mut self.micros {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
            // It grows by itself; a value that is still too large would be years.
            let _ = histogram.record(micros);
        }
        if self.slowest.as_ref().is_none_or(|(slowest, _)| took > *slowest) {
            self.slowest = Some((took, Arc::clone(who)));
        }
    }

    /// Who was slowest, and how slow.
    pub(super) fn slowest(&self) -> Option<&(Duration, Arc<Instance>)> {
        self.slowest.as_ref()
    }

    /// Microseconds and how many confirmations took about so long.
    pub(super) fn recorded(&self) -> Vec<(u64, u32)> {
        let recorded = self.micros.iter().flat_map(|histogram| histogram.iter_recorded());
        recorded.map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
    }
}

/// One value for each rung.
#[derive(Debug, Clone, Default)]
pub(super) struct Rungs<T> {
    applied: T,
    fetched: T,
    sent: T,
}

impl<T> Rungs<T> {
    pub(super) fn of(&self, rung: Rung) -> &T {
        match rung {
            Rung::Applied => &self.applied,
            Rung::Fetched => &self.fetched,
            Rung::Sent => &self.sent,
        }
    }

    pub(super) fn of_mut(&mut self, rung: Rung) -> &mut T {
        match rung {
            Rung::Applied => &mut self.applied,
            Rung::Fetched => &mut self.fetched,
            Rung::Sent => &mut self.sent,
        }
    }
}

/// Members that are no longer on the roll, kept as differences: a member that left having confirmed revisions a to b adds one
/// at a and takes one at b + 1, so that leaving costs the same however much it confirmed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Departed {
    /// Confirmed before they left.
    pub(super) confirmed: i64,
    /// Lost for too long without having confirmed.
    pub(super) gone: i64,
}

/// The count of one revision.
#[derive(Debug)]
pub(super) struct Tally {
    /// When it was swapped in.
    pub(super) at: Instant,
    /// Of those who confirmed exactly this revision, coming from the one before.
    pub(super) times: Rungs<Times>,
    /// Differences against the revision before.
    pub(super) departed: Rungs<Departed>,
}

impl Tally {
    pub(super) fn new(at: Instant, departed: Rungs<Departed>) -> Self {
        Self {
            at,
            times: Rungs::default(),
            departed,
        }
    }
}

/// A confirmation that passed over revisions: `after` (not confirmed by it) to `to`.
#[derive(Debug)]
pub(super) struct Passage {
    pub(super) rung: Rung,
    pub(super) after: u64,
    pub(super) to: u64,
    pub(super) at: Instant,
    pub(super) who: Arc<Instance>,
}
