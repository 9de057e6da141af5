//! When a state is kept, and which old ones may go.
//!
//! A look back loads the newest state at or before a revision and replays the entries up to it. States are kept often enough that
//! the newest revisions are near one, and thinned out so that old ones cost little: the further back, the wider apart, up to a
//! bound that keeps every look back short.

use ripcord_proto::Sequence;

/// When to keep a state, and which to let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatePolicy {
    /// Entries since the last state after which the next is kept, whatever they weigh.
    pub entries: u64,
    /// Bytes of log since the last state after which the next is kept, however few entries they are.
    pub bytes: u64,
    /// Entries between two states that may be replayed for a look back, at most.
    pub widest: u64,
}

impl Default for StatePolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl StatePolicy {
    /// What everybody keeps by.
    pub const DEFAULT: Self = Self {
        entries: 512,
        bytes: 4 * 1024 * 1024,
        widest: 8 * 512,
    };

    /// Whether it is time to keep a state: `entries` and `bytes` of log since the last one, of which `state_bytes` is the size.
    /// A state that is larger than the log since is not written again for the bytes alone.
    pub fn is_due(&self, entries: u64, bytes: u64, state_bytes: u64) -> bool {
        entries >= self.entries || bytes >= self.bytes.max(state_bytes)
    }

    /// Which of the kept states (ascending) may go. The newest stays, and so does the first; between two that stay are at most
    /// `widest` entries, or as many as one state apart is anyway. Distances double with age.
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
