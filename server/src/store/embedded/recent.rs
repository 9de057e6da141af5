//! Entries that are durable in the write-ahead log and not in the database yet. Readers see them behind the database's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use ripcord_proto::Sequence;

use crate::store::LogName;

/// The entries since the database was last written, by the id of their log.
#[derive(Debug, Clone, Default)]
pub(super) struct RecentEntries {
    logs: BTreeMap<u32, RecentLog>,
    /// Logs that the database does not name yet.
    new_logs: BTreeMap<LogName, u32>,
    count: usize,
}

/// Consecutive entries of one log, encoded as `StoredEntry` has them.
#[derive(Debug, Clone)]
struct RecentLog {
    first: Sequence,
    entries: Vec<Arc<[u8]>>,
}

/// An entry that was written to the write-ahead log.
#[derive(Debug, Clone)]
pub(super) struct RecentEntry {
    pub(super) log: LogName,
    pub(super) id: u32,
    pub(super) sequence: Sequence,
    pub(super) bytes: Arc<[u8]>,
}

impl RecentEntries {
    /// Adds an entry, which follows those of its log. The first entry of a log tells that the database does not name it.
    pub(super) fn push(&mut self, entry: RecentEntry) {
        if entry.sequence == Sequence(1) {
            self.new_logs.insert(entry.log, entry.id);
        }
        let log = self.logs.entry(entry.id).or_insert_with(|| RecentLog {
            first: entry.sequence,
            entries: Vec::new(),
        });
        log.entries.push(entry.bytes);
        self.count += 1;
    }

    /// How many there are.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// The id of a log that the database does not name.
    pub(super) fn id(&self, log: &LogName) -> Option<u32> {
        self.new_logs.get(log).copied()
    }

    /// Logs that the database does not name.
    pub(super) const fn new_logs(&self) -> &BTreeMap<LogName, u32> {
        &self.new_logs
    }

    /// One entry.
    pub(super) fn get(&self, log: u32, sequence: Sequence) -> Option<&[u8]> {
        self.after(log, Sequence(sequence.0.checked_sub(1)?))
            .next()
            .filter(|(found, _)| *found == sequence)
            .map(|(_, bytes)| bytes)
    }

    /// The last entry of a log.
    pub(super) fn last(&self, log: u32) -> Option<(Sequence, &[u8])> {
        let log = self.logs.get(&log)?;
        let last = log.entries.last()?;
        Some((Sequence(log.first.0 + log.entries.len() as u64 - 1), last))
    }

    /// The entries of a log after a sequence, in order.
    pub(super) fn after(&self, log: u32, after: Sequence) -> impl Iterator<Item = (Sequence, &[u8])> {
        self.logs.get(&log).into_iter().flat_map(move |log| {
            let known = usize::try_from((after.0 + 1).saturating_sub(log.first.0)).unwrap_or(usize::MAX);
            let rest = log.entries.get(known..).unwrap_or_default();
            let first = log.first.0.max(after.0 + 1);
            (first..).map(Sequence).zip(rest.iter().map(AsRef::as_ref))
        })
    }

    /// All entries, log by log, each in order.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, Sequence, &[u8])> {
        self.logs
            .keys()
            .flat_map(|id| self.after(*id, Sequence(0)).map(|(sequence, bytes)| (*id, sequence, bytes)))
    }
}
