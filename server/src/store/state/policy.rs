//! When a state is stored, and which old ones may be deleted.
//!
//! To read an old revision, the newest state at or before it is loaded and the entries up to it are replayed. States are stored
//! often enough that the newest revisions are near one, and thinned out so that old ones cost little: the older, the further
//! apart, up to a bound that keeps every read short.

use ripcord_proto::Sequence;

/// When to store a state, and which to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatePolicy {
    /// Entries since the last state after which the next is stored, whatever their size.
    pub entries: u64,
    /// Bytes of log since the last state after which the next is stored, however few entries.
    pub bytes: u64,
    /// Maximum number of entries between two states, which a read may have to replay.
    pub widest: u64,
}

impl Default for StatePolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl StatePolicy {
    /// The policy of every node.
    pub const DEFAULT: Self = Self {
        entries: 512,
        bytes: 4 * 1024 * 1024,
        widest: 8 * 512,
    };

    /// Whether it is time to store a state, `entries` and `bytes` of log after the last one, which has `state_bytes`. A state
    /// that is larger than the log since then is not written again for the bytes alone.
    pub fn is_due(&self, entries: u64, bytes: u64, state_bytes: u64) -> bool {
        entries >= self.entries || bytes >= self.bytes.max(state_bytes)
    }

    /// Which of the stored states (ascending) may be deleted. The newest and the first stay; between two that stay are at most
    /// `widest` entries, or as many as lie between two neighbours anyway. Distances double with age.
    pub fn superfluous(&self, kept: &[Sequence]) -> Vec<Sequence> {
        let Some(newest) = kept.last() else { return Vec::new() };
        let mut gone = Vec::new();
        let mut later = *newest;
        for (index, sequence) in kept.iter().enumerate().rev().skip(1) {
            let Some(before) = index.checked_sub(1).and_then(|index| kept.get(index)) else {
                break;
            };
            let age = newest.0.saturating_sub(sequence.0);
            let allowed = (age / 2).clamp(self.entries, self.widest);
            if later.0.saturating_sub(before.0) <= allowed {
                gone.push(*sequence);
            } else {
                later = *sequence;
            }
        }
        gone
    }
}
