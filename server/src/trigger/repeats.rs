//! Repeats are counted in memory and written down every few seconds: a storm makes a handful of commits, not one for each delivery.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use ripcord_proto::FiringId;

/// Repeats by firing that are not in its record yet.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    counts: Mutex<BTreeMap<FiringId, u64>>,
}

/// Whether somebody will write down what was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// The first of a series: whoever counted it sees to it.
    ToBeArranged,
    /// It has been arranged.
    Arranged,
}

impl Repeats {
    fn counts(&self) -> parking_lot::MutexGuard<'_, BTreeMap<FiringId, u64>> {
        self.counts.lock()
    }

    /// Counts one.
    pub(super) fn add(&self, id: &FiringId) -> Writing {
        let mut counts = self.counts();
        if let Some(count) = counts.get_mut(id) {
            *count += 1;
            return Writing::Arranged;
        }
        counts.insert(id.clone(), 1);
        Writing::ToBeArranged
    }

    /// What was counted and not written down.
    pub(super) fn unwritten(&self, id: &FiringId) -> u64 {
        self.counts().get(id).copied().unwrap_or_default()
    }

    /// Takes `written` away: they are in the record now.
    pub(super) fn written(&self, id: &FiringId, written: u64) {
        let mut counts = self.counts();
        if let Some(count) = counts.get_mut(id) {
            *count = count.saturating_sub(written);
            if *count == 0 {
                counts.remove(id);
            }
        }
    }
}
