//! The last deltas of an environment, which bring readers from an older revision to the newest.

use std::collections::VecDeque;
use std::sync::Arc;

use ripcord_proto::delta::Delta;
use ripcord_proto::{Position, Revision, Snapshot};

/// How much history is kept. The limit that is reached first evicts the oldest deltas.
#[derive(Debug, Clone, Copy)]
pub struct HistoryLimits {
    /// Maximum number of deltas.
    pub deltas: usize,
    /// Maximum size of all deltas as JSON, approximately, in bytes.
    pub bytes: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self {
            deltas: 1_000,
            bytes: 64 * 1024 * 1024,
        }
    }
}

/// Deltas of one epoch, each starting at the revision where the one before ends.
#[derive(Debug, Default)]
pub struct History {
    limits: HistoryLimits,
    kept: VecDeque<(Arc<Delta>, usize)>,
    bytes: usize,
}

impl History {
    /// An empty history.
    pub fn new(limits: HistoryLimits) -> Self {
        Self {
            limits,
            kept: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Forgets everything, because a new epoch began.
    pub fn clear(&mut self) {
        self.kept.clear();
        self.bytes = 0;
    }

    /// Adds `delta`. If it does not start where the last one ends, the history is cleared first, and older readers take a snapshot.
    pub fn push(&mut self, delta: Arc<Delta>) {
        let follows = self
            .kept
            .back()
            .is_none_or(|(last, _)| last.to.epoch == delta.to.epoch && last.to.revision == delta.from);
        if !follows {
            self.clear();
        }
        let bytes = weight(&delta);
        self.bytes += bytes;
        self.kept.push_back((delta, bytes));
        while self.kept.len() > self.limits.deltas || self.bytes > self.limits.bytes {
            match self.kept.pop_front() {
                Some((_, bytes)) => self.bytes -= bytes,
                None => break,
            }
        }
    }

    /// The deltas from `from` to `to`, in order; empty if the history does not reach back that far.
    pub fn between(&self, from: Revision, to: Position) -> Vec<Arc<Delta>> {
        let first = self.kept.partition_point(|(delta, _)| delta.from < from);
        let starts = self.kept.get(first).is_some_and(|(delta, _)| delta.from == from && delta.to.epoch == to.epoch);
        if !starts {
            return Vec::new();
        }
        self.kept
            .iter()
            .skip(first)
            .map(|(delta, _)| delta)
            .take_while(|delta| delta.to.revision <= to.revision)
            .cloned()
            .collect()
    }
}

/// One delta with the effect of all `deltas` in order; `None` if there are none.
pub fn combined(deltas: &[Arc<Delta>]) -> Option<Delta> {
    let (first, rest) = deltas.split_first()?;
    Some(rest.iter().fold(Delta::clone(first), |sum, next| sum.then(next)))
}

/// Approximate size of a delta's frame, in bytes.
pub fn weight(delta: &Delta) -> usize {
    const KEY: usize = 24;
    let removed = delta.removed.flags.len() + delta.removed.segments.len() + delta.removed.kills.len();
    let changed = &delta.changed;
    200 + changed.flags.bytes() + changed.segments.bytes() + changed.kills.bytes() + KEY * removed
}

/// Approximate size of a snapshot's frame, in bytes.
pub fn snapshot_weight(snapshot: &Snapshot) -> usize {
    200 + snapshot.flags.bytes() + snapshot.segments.bytes() + snapshot.kills.bytes()
}

#[cfg(test)]
mod tests;
