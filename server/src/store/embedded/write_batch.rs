//! One transaction: what it writes, and what it changes in memory once it is on the disk.

use redb::{Durability, ReadableTable as _, WriteTransaction};
use ripcord_proto::Sequence;
use ripcord_proto::digest::Digest;

use super::job::{PendingAnswer, WriteJob};
use super::logs::{KnownLog, Logs};
use super::read::failed;
use super::recent::RecentEntries;
use super::schema::{ENTRIES, LOGS, META, NEXT_LOG, REPLACED, STATES, StoredEntry, StoredFormat, entries_after, states_of};
use crate::store::state::policy::StatePolicy;
use crate::store::state::{StoredState, along};
use crate::store::{Append, AppendError, Contents, Head, LogName, StoreError};

/// The effects of one transaction on memory and on waiting callers.
pub(super) struct WriteBatch {
    pub(super) logs: Logs,
    pub(super) waiting: Vec<PendingAnswer>,
    pub(super) last: Option<LogName>,
    pub(super) durability: Durability,
    /// Whether there is anything to commit; refused appends write nothing.
    pub(super) is_dirty: bool,
}

impl WriteBatch {
    /// Takes over what only the write-ahead log holds, and records where entries are from now on.
    pub(super) fn take_over(&mut self, transaction: &WriteTransaction, recent: &RecentEntries, format: StoredFormat) -> Result<(), StoreError> {
        let mut meta = transaction.open_table(META).map_err(failed)?;
        format.write(&mut meta).map_err(failed)?;
        let mut logs = transaction.open_table(LOGS).map_err(failed)?;
        for (log, id) in recent.new_logs() {
            logs.insert(log.as_str(), *id).map_err(failed)?;
            meta.insert(NEXT_LOG, u64::from(self.logs.next_id)).map_err(failed)?;
        }
        let mut entries = transaction.open_table(ENTRIES).map_err(failed)?;
        for (id, sequence, bytes) in recent.all() {
            entries.insert((id, sequence.0), bytes).map_err(failed)?;
        }
        Ok(())
    }

    pub(super) fn take(&mut self, transaction: &WriteTransaction, job: WriteJob, policy: StatePolicy) -> Result<(), StoreError> {
        match job {
            WriteJob::Append(append, answer) => {
                let outcome = self.append(transaction, &append);
                let (verdict, outcome) = match outcome {
                    Ok(verdict) => (verdict, Ok(())),
                    Err(error) => (Ok(()), Err(error)),
                };
                self.waiting.push(PendingAnswer::Append(answer, verdict));
                outcome
            }
            WriteJob::KeepState { log, head, bytes, answer } => {
                self.waiting.push(PendingAnswer::Other(answer));
                self.keep_state(transaction, &log, head, &bytes, policy)
            }
            WriteJob::Install(contents, answer) => {
                self.waiting.push(PendingAnswer::Other(answer));
                contents.iter().try_for_each(|contents| self.install(transaction, contents))
            }
            WriteJob::Drop(log, answer) => {
                self.waiting.push(PendingAnswer::Other(answer));
                self.drop_log(transaction, &log)
            }
            WriteJob::Flush(answer) => {
                self.waiting.push(PendingAnswer::Other(answer));
                self.durability = Durability::Immediate;
                self.is_dirty = true;
                Ok(())
            }
            WriteJob::Reopen => Ok(()),
        }
    }

    fn append(&mut self, transaction: &WriteTransaction, append: &Append) -> Result<Result<(), AppendError>, StoreError> {
        let actual = self.logs.by_name.get(&append.log).map_or(Head::START, |known| known.head);
        if actual != append.expected {
            return Ok(Err(AppendError::Moved { actual }));
        }
        let known = self.known_or_new(transaction, &append.log)?;
        let head = insert(transaction, known.id, append)?;
        self.is_dirty = true;
        self.logs.set(&append.log, KnownLog { head, ..known });
        self.last = Some(append.log.clone());
        // In the same transaction: an environment that is created again under the name must not find the old log.
        append.ended_logs().try_for_each(|log| self.drop_log(transaction, &log))?;
        Ok(Ok(()))
    }

    fn known_or_new(&mut self, transaction: &WriteTransaction, log: &LogName) -> Result<KnownLog, StoreError> {
        let is_new = !self.logs.by_name.contains_key(log);
        let known = self.logs.known_or_new(log);
        if is_new {
            let mut logs = transaction.open_table(LOGS).map_err(failed)?;
            logs.insert(log.as_str(), known.id).map_err(failed)?;
            let mut meta = transaction.open_table(META).map_err(failed)?;
            meta.insert(NEXT_LOG, u64::from(self.logs.next_id)).map_err(failed)?;
        }
        Ok(known)
    }

    fn keep_state(&mut self, transaction: &WriteTransaction, log: &LogName, head: Head, bytes: &[u8], policy: StatePolicy) -> Result<(), StoreError> {
        let Some(known) = self.logs.by_name.get(log).copied() else { return Ok(()) };
        if !holds(transaction, known.id, head)? {
            tracing::warn!(%log, sequence = %head.sequence, "not keeping a state that does not match the log");
            return Ok(());
        }
        self.is_dirty = true;
        let mut states = transaction.open_table(STATES).map_err(failed)?;
        let key = (known.id, head.epoch.0, head.revision.0, head.sequence.0);
        states.insert(key, bytes).map_err(failed)?;
        let mut kept = Vec::new();
        for row in states.range(states_of(known.id)).map_err(failed)? {
            kept.push(row.map_err(failed)?.0.value());
        }
        let sequences: Vec<_> = kept.iter().map(|key| Sequence(key.3)).collect();
        for gone in policy.superfluous(&sequences) {
            if let Some(key) = kept.iter().find(|key| key.3 == gone.0) {
                states.remove(key).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn install(&mut self, transaction: &WriteTransaction, contents: &Contents) -> Result<(), StoreError> {
        self.drop_log(transaction, &contents.log)?;
        let append = Append {
            log: contents.log.clone(),
            expected: Head::START,
            entries: contents.entries.clone(),
        };
        // The log was just dropped, so it starts where this append expects it to.
        self.append(transaction, &append)?.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let states = match &contents.log {
            LogName::Environment(environment) => Some(along(StoredState::empty(environment.clone()), contents.entries.iter().cloned())),
            LogName::System => None,
        };
        for state in states.into_iter().flatten().chain(contents.state.clone()) {
            let bytes = state.encode().map_err(|error| StoreError::Corrupt(error.to_string()))?;
            self.keep_state(transaction, &contents.log, state.head, &bytes, StatePolicy::default())?;
        }
        Ok(())
    }

    fn drop_log(&mut self, transaction: &WriteTransaction, log: &LogName) -> Result<(), StoreError> {
        let Some(known) = self.logs.by_name.remove(log) else { return Ok(()) };
        self.is_dirty = true;
        self.logs.replaced += 1;
        let mut meta = transaction.open_table(META).map_err(failed)?;
        meta.insert(REPLACED, self.logs.replaced).map_err(failed)?;
        transaction.open_table(LOGS).map_err(failed)?.remove(log.as_str()).map_err(failed)?;
        let mut entries = transaction.open_table(ENTRIES).map_err(failed)?;
        entries.retain_in(entries_after(known.id, Sequence(0)), |_, _| false).map_err(failed)?;
        let mut states = transaction.open_table(STATES).map_err(failed)?;
        states.retain_in(states_of(known.id), |_, _| false).map_err(failed)
    }
}

/// Inserts the entries and returns the head after them.
fn insert(transaction: &WriteTransaction, id: u32, append: &Append) -> Result<Head, StoreError> {
    let mut head = append.expected;
    let mut entries = transaction.open_table(ENTRIES).map_err(failed)?;
    for entry in &append.entries {
        head = head.after(entry);
        entries
            .insert((id, head.sequence.0), StoredEntry::write(entry, head.revision).as_slice())
            .map_err(failed)?;
    }
    Ok(head)
}

/// Whether the log contains the entry at `head`.
fn holds(transaction: &WriteTransaction, id: u32, head: Head) -> Result<bool, StoreError> {
    if head.sequence == Sequence(0) {
        return Ok(head.chain == Digest::ZERO);
    }
    let entries = transaction.open_table(ENTRIES).map_err(failed)?;
    let bytes = entries.get((id, head.sequence.0)).map_err(failed)?;
    Ok(bytes.and_then(|bytes| StoredEntry::parse(bytes.value()).map(|record| record.digest)) == Some(head.chain))
}
