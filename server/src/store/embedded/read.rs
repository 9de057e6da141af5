//! Reading: every returned entry is verified to follow the one before it, whether it is in the database or still among the recent ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use redb::{AccessGuard, ReadTransaction, ReadableDatabase as _, ReadableTable as _};
use ripcord_proto::commit::{Commit, Sealed};
use ripcord_proto::digest::Digest;
use ripcord_proto::{Position, Sequence};

use super::recent::RecentEntries;
use super::schema::{ENTRIES, LOGS, STATES, StoredEntry, entries_after, states_of};
use super::view::StoreView;
use crate::store::state::StoredState;
use crate::store::{Head, Loaded, LogName, Settled, StoreError};

/// How to recover from a damaged data directory; the end of every message about one.
pub(super) const WAY_OUT: &str = "restore a backup with `ripcord serve --restore-backup FILE`, or start from a copy of the data directory";

/// Converts an error of the database.
pub(super) fn failed(error: impl Into<redb::Error>) -> StoreError {
    let error = error.into();
    if let redb::Error::Corrupted(why) = &error {
        return StoreError::Corrupt(format!("the store's file ripcord.redb is damaged ({why}); {WAY_OUT}"));
    }
    StoreError::Unavailable(error.to_string())
}

/// A log within one read transaction, so that everything read from it is consistent.
struct LogReader {
    transaction: ReadTransaction,
    recent: Arc<RecentEntries>,
    name: LogName,
    id: Option<u32>,
}

impl LogReader {
    fn of(view: &StoreView, name: &LogName) -> Result<Self, StoreError> {
        let transaction = view.database.begin_read().map_err(failed)?;
        let id = transaction.open_table(LOGS).map_err(failed)?.get(name.as_str()).map_err(failed)?;
        Ok(Self {
            transaction,
            name: name.clone(),
            id: id.map(|id| id.value()).or_else(|| view.recent.id(name)),
            recent: Arc::clone(&view.recent),
        })
    }

    fn missing(&self, sequence: Sequence) -> StoreError {
        StoreError::Corrupt(format!("entry {sequence} of the log {} is missing or cannot be read; {WAY_OUT}", self.name))
    }

    /// The digest of the entry at `sequence`, or [`Digest::ZERO`] for 0. `None` if the log ends before it.
    fn digest(&self, sequence: Sequence) -> Result<Option<Digest>, StoreError> {
        if sequence == Sequence(0) {
            return Ok(Some(Digest::ZERO));
        }
        let Some(id) = self.id else { return Ok(None) };
        let entries = self.transaction.open_table(ENTRIES).map_err(failed)?;
        let stored = entries.get((id, sequence.0)).map_err(failed)?;
        let bytes = stored.as_ref().map(AccessGuard::value).or_else(|| self.recent.get(id, sequence));
        let record = bytes.map(|bytes| StoredEntry::parse(bytes).ok_or_else(|| self.missing(sequence))).transpose()?;
        Ok(record.map(|record| record.digest))
    }

    /// Where the log ends, according to its last entry.
    fn head(&self) -> Result<Head, StoreError> {
        let Some(id) = self.id else { return Ok(Head::START) };
        let table = self.transaction.open_table(ENTRIES).map_err(failed)?;
        let last = table.range(entries_after(id, Sequence(0))).map_err(failed)?.next_back();
        let last = last.transpose().map_err(failed)?;
        let stored = last.as_ref().map(|(key, bytes)| (Sequence(key.value().1), bytes.value()));
        let Some((sequence, bytes)) = stored.max(self.recent.last(id)) else {
            return Ok(Head::START);
        };
        let record = StoredEntry::parse(bytes).ok_or_else(|| self.missing(sequence))?;
        let commit = Commit::parse(record.body).map_err(|_| self.missing(sequence))?;
        Ok(Head {
            epoch: commit.epoch,
            revision: record.revision,
            sequence,
            chain: record.digest,
        })
    }

    /// Up to `limit` entries after `head`, each verified to follow the one before, and the head after them.
    fn entries(&self, mut head: Head, limit: usize) -> Result<(Vec<Sealed>, Head), StoreError> {
        let Some(id) = self.id else { return Ok((Vec::new(), head)) };
        let table = self.transaction.open_table(ENTRIES).map_err(failed)?;
        let mut entries = Vec::new();
        for row in table.range(entries_after(id, head.sequence)).map_err(failed)?.take(limit) {
            let (key, bytes) = row.map_err(failed)?;
            let entry = self.follow(&head, Sequence(key.value().1), bytes.value())?;
            head = head.after(&entry);
            entries.push(entry);
        }
        let rest = limit - entries.len();
        for (sequence, bytes) in self.recent.after(id, head.sequence).take(rest) {
            let entry = self.follow(&head, sequence, bytes)?;
            head = head.after(&entry);
            entries.push(entry);
        }
        Ok((entries, head))
    }

    /// The entry in these bytes, if it is the one that follows `head`.
    fn follow(&self, head: &Head, sequence: Sequence, bytes: &[u8]) -> Result<Sealed, StoreError> {
        let expected = head.sequence.next();
        let record = StoredEntry::parse(bytes).filter(|_| sequence == expected);
        let record = record.ok_or_else(|| self.missing(expected))?;
        Sealed::open(expected, record.body, record.digest, &head.chain).map_err(|source| StoreError::Chain {
            log: self.name.clone(),
            source,
        })
    }

    /// The newest usable state at or before `at`. States are copies, so an unusable one is skipped.
    fn state(&self, at: Position) -> Result<Option<StoredState>, StoreError> {
        let Some(id) = self.id else { return Ok(None) };
        let table = self.transaction.open_table(STATES).map_err(failed)?;
        let upto = *states_of(id).start()..=(id, at.epoch.0, at.revision.0, u64::MAX);
        for row in table.range(upto).map_err(failed)?.rev() {
            let (_, bytes) = row.map_err(failed)?;
            match StoredState::decode(bytes.value()) {
                Ok(state) if self.digest(state.head.sequence)? == Some(state.head.chain) => return Ok(Some(state)),
                Ok(state) => tracing::warn!(log = %self.name, sequence = %state.head.sequence, "skipping a stored state that does not match the log"),
                Err(error) => tracing::warn!(log = %self.name, %error, "skipping a stored state that cannot be read"),
            }
        }
        Ok(None)
    }
}

/// The end of all positions.
const LAST: Position = Position::new(u64::MAX, u64::MAX);

pub(super) fn load(view: &StoreView, log: &LogName) -> Result<Loaded, StoreError> {
    let reader = LogReader::of(view, log)?;
    let state = reader.state(LAST)?;
    let start = state.as_ref().map_or(Head::START, |state| state.head);
    let (tail, head) = reader.entries(start, usize::MAX)?;
    Ok(Loaded { state, tail, head })
}

pub(super) fn entries(view: &StoreView, log: &LogName, after: Sequence, limit: usize) -> Result<Vec<Sealed>, StoreError> {
    let reader = LogReader::of(view, log)?;
    let Some(chain) = reader.digest(after)? else { return Ok(Vec::new()) };
    let from = Head {
        sequence: after,
        chain,
        ..Head::START
    };
    Ok(reader.entries(from, limit)?.0)
}

pub(super) fn state_before(view: &StoreView, log: &LogName, at: Position) -> Result<Option<StoredState>, StoreError> {
    LogReader::of(view, log)?.state(at)
}

pub(super) fn settle(view: &StoreView, log: &LogName, head: Head) -> Result<Settled, StoreError> {
    let found = LogReader::of(view, log)?.digest(head.sequence)?;
    Ok(if found == Some(head.chain) { Settled::Written } else { Settled::NotWritten })
}

pub(super) fn logs(view: &StoreView) -> Result<Vec<LogName>, StoreError> {
    let transaction = view.database.begin_read().map_err(failed)?;
    let table = transaction.open_table(LOGS).map_err(failed)?;
    let mut logs: BTreeSet<_> = view.recent.new_logs().keys().cloned().collect();
    for row in table.iter().map_err(failed)? {
        logs.insert(name(row.map_err(failed)?.0.value())?);
    }
    Ok(logs.into_iter().collect())
}

pub(super) fn heads(view: &StoreView) -> Result<BTreeMap<LogName, Head>, StoreError> {
    let mut heads = BTreeMap::new();
    for log in logs(view)? {
        let head = LogReader::of(view, &log)?.head()?;
        heads.insert(log, head);
    }
    Ok(heads)
}

/// The log of a stored name.
pub(super) fn name(text: &str) -> Result<LogName, StoreError> {
    LogName::parse(text).map_err(|faults| StoreError::Corrupt(format!("the store holds a log that cannot be ({faults}); {WAY_OUT}")))
}
