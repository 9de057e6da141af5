//! The logs that the writer knows, in memory: where each ends.

use std::collections::BTreeMap;

use crate::store::{Head, LogName};

/// A log that is known to the writer.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownLog {
    pub(super) id: u32,
    pub(super) head: Head,
}

impl KnownLog {
    /// A log without entries.
    pub(super) const fn new(id: u32) -> Self {
        Self { id, head: Head::START }
    }
}

/// Every log, and the two counters of the database.
#[derive(Debug, Clone, Default)]
pub(super) struct Logs {
    pub(super) by_name: BTreeMap<LogName, KnownLog>,
    pub(super) next_id: u32,
    pub(super) replaced: u64,
}

impl Logs {
    /// The log; one that is not known begins, with the next id.
    pub(super) fn known_or_new(&mut self, log: &LogName) -> KnownLog {
        if let Some(known) = self.by_name.get(log) {
            return *known;
        }
        let new = KnownLog::new(self.next_id);
        self.next_id = self.next_id.saturating_add(1);
        new
    }

    /// Records where a log ends now.
    pub(super) fn set(&mut self, log: &LogName, known: KnownLog) {
        match self.by_name.get_mut(log) {
            Some(place) => *place = known,
            None => _ = self.by_name.insert(log.clone(), known),
        }
    }
}
