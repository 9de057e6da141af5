//! The writer: the only thread that writes the file. It takes whatever has gathered, writes it in one transaction, and answers
//! when that is on the disk.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::{Database, Durability, ReadableTable as _, WriteTransaction};
use ripcord_proto::Sequence;
use ripcord_proto::digest::Digest;
use tokio::sync::{mpsc, oneshot, watch};

use super::commit_marker::CommitMarker;
use super::open::{KnownLog, Logs};
use super::read::failed;
use super::schema::{ENTRIES, LOGS, META, NEXT_LOG, REPLACED, STATES, StoredEntry, entries_after, states_of};
use crate::clock::Clock;
use crate::store::state::policy::StatePolicy;
use crate::store::state::{StoredState, along};
use crate::store::{Append, AppendError, Contents, Head, LogName, StoreError, StoreHealth, StoreState};

/// Maximum number of jobs in one transaction.
const GATHER: usize = 512;
/// How long a lazy commit may stay unflushed while others follow.
const LAZY: Duration = Duration::from_millis(500);

/// When a commit is flushed to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// Before it is answered.
    EachCommit,
    /// From time to time, and on [`EmbeddedStore::flush`](super::EmbeddedStore::flush): for the mirror of a store that is durable itself.
    Lazily,
}

pub(super) type JobAnswer<E> = oneshot::Sender<Result<(), E>>;

#[derive(Debug)]
pub(super) enum WriteJob {
    Append(Append, JobAnswer<AppendError>),
    KeepState {
        log: LogName,
        head: Head,
        bytes: Vec<u8>,
        answer: JobAnswer<StoreError>,
    },
    Install(Vec<Contents>, JobAnswer<StoreError>),
    Drop(LogName, JobAnswer<StoreError>),
    Flush(JobAnswer<StoreError>),
}

/// A caller that is answered once the transaction is on disk.
enum PendingAnswer {
    Append(JobAnswer<AppendError>, Result<(), AppendError>),
    Other(JobAnswer<StoreError>),
}

/// How a transaction failed.
enum WriteFailure {
    /// Before the commit: nothing was written.
    Before(StoreError),
    /// During the commit: it may have been written.
    During(StoreError),
}

pub(super) struct StoreWriter {
    database: Arc<Database>,
    logs: Logs,
    marker: CommitMarker,
    flush: Flush,
    flushed: Instant,
    policy: StatePolicy,
    health: watch::Sender<StoreHealth>,
    clock: Arc<dyn Clock>,
}

/// The effects of one transaction on memory and on waiting callers.
struct WriteBatch {
    logs: Logs,
    waiting: Vec<PendingAnswer>,
    last: Option<LogName>,
    durability: Durability,
    /// Whether there is anything to commit; refused appends write nothing.
    is_dirty: bool,
}

impl StoreWriter {
    pub(super) fn new(
        database: Arc<Database>,
        logs: Logs,
        marker: CommitMarker,
        flush: Flush,
        health: watch::Sender<StoreHealth>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            database,
            logs,
            marker,
            flush,
            flushed: Instant::now(),
            policy: StatePolicy::default(),
            health,
            clock,
        }
    }

    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<WriteJob>) {
        while let Some(first) = queue.blocking_recv() {
            let mut jobs = VecDeque::from([first]);
            while jobs.len() < GATHER
                && let Ok(next) = queue.try_recv()
            {
                jobs.push_back(next);
            }
            self.write(jobs);
        }
        if let Err(error) = self.end() {
            tracing::error!(%error, "cannot flush the store before closing it");
        }
    }

    fn end(&mut self) -> Result<(), StoreError> {
        if self.flush == Flush::Lazily {
            self.database.begin_write().map_err(failed)?.commit().map_err(failed)?;
            self.mark(None)?;
        }
        self.marker.flush()
    }

    fn write(&mut self, jobs: VecDeque<WriteJob>) {
        let mut batch = WriteBatch {
            logs: self.logs.clone(),
            waiting: Vec::with_capacity(jobs.len()),
            last: None,
            durability: match self.flush {
                Flush::Lazily if self.flushed.elapsed() < LAZY => Durability::None,
                Flush::Lazily | Flush::EachCommit => Durability::Immediate,
            },
            is_dirty: false,
        };
        match self.transact(&mut batch, jobs) {
            Ok(()) => {
                self.logs = batch.logs;
                if batch.is_dirty && matches!(batch.durability, Durability::Immediate) {
                    self.flushed = Instant::now();
                    // The entries are on disk: a marker that cannot be written is reported, and the commit stands.
                    if let Err(error) = self.mark(batch.last.as_ref()) {
                        tracing::error!(%error, "cannot write the commit marker");
                    }
                }
                batch.waiting.into_iter().for_each(PendingAnswer::succeed);
            }
            Err(failure) => {
                self.report(&failure);
                batch.waiting.into_iter().for_each(|waiting| waiting.fail(&failure));
            }
        }
    }

    fn transact(&self, batch: &mut WriteBatch, jobs: VecDeque<WriteJob>) -> Result<(), WriteFailure> {
        let begun = self.database.begin_write().map_err(failed);
        let mut transaction = match begun {
            Ok(transaction) => transaction,
            Err(error) => {
                batch.waiting.extend(jobs.into_iter().map(WriteJob::waiting));
                return Err(WriteFailure::Before(error));
            }
        };
        let mut outcome = Ok(());
        for job in jobs {
            // After one failure the whole transaction is given up; the other jobs are only noted.
            if outcome.is_ok() {
                outcome = batch.take(&transaction, job, self.policy);
            } else {
                batch.waiting.push(job.waiting());
            }
        }
        outcome.map_err(WriteFailure::Before)?;
        if !batch.is_dirty {
            return transaction.abort().map_err(|error| WriteFailure::Before(failed(error)));
        }
        let set = transaction.set_durability(batch.durability).map_err(failed);
        set.map_err(WriteFailure::Before)?;
        transaction.commit().map_err(|error| WriteFailure::During(failed(error)))
    }

    /// Writes the commit marker: the last entry of `last`, or of the longest log.
    fn mark(&mut self, last: Option<&LogName>) -> Result<(), StoreError> {
        let logs = &self.logs.by_name;
        let entry = match last.and_then(|log| logs.get_key_value(log)) {
            Some(found) => Some(found),
            None => logs.iter().max_by_key(|(_, known)| known.head.sequence),
        };
        let entry = entry.map(|(log, known)| (log, known.head.sequence, known.head.chain));
        self.marker.write(self.logs.replaced, entry.filter(|(_, sequence, _)| *sequence > Sequence(0)))
    }

    fn report(&self, failure: &WriteFailure) {
        let (WriteFailure::Before(error) | WriteFailure::During(error)) = failure;
        tracing::error!(%error, "cannot write to the store");
        self.health.send_modify(|health| {
            if health.state == StoreState::Available {
                health.state = StoreState::Unreachable;
                health.since = self.clock.now();
            }
            health.why = format!("cannot write to the data directory: {error}; free up space or repair the disk, then restart");
        });
    }
}

impl WriteBatch {
    fn take(&mut self, transaction: &WriteTransaction, job: WriteJob, policy: StatePolicy) -> Result<(), StoreError> {
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
        }
    }

    fn append(&mut self, transaction: &WriteTransaction, append: &Append) -> Result<Result<(), AppendError>, StoreError> {
        let actual = self.logs.by_name.get(&append.log).map_or(Head::START, |known| known.head);
        if actual != append.expected {
            return Ok(Err(AppendError::Moved { actual }));
        }
        let id = self.id(transaction, &append.log)?;
        let head = insert(transaction, id, append)?;
        self.is_dirty = true;
        self.logs.by_name.insert(append.log.clone(), KnownLog { id, head });
        self.last = Some(append.log.clone());
        // In the same transaction: an environment that is created again under the name must not find the old log.
        append.ended_logs().try_for_each(|log| self.drop_log(transaction, &log))?;
        Ok(Ok(()))
    }

    /// The id of a log; a new log gets one now.
    fn id(&mut self, transaction: &WriteTransaction, log: &LogName) -> Result<u32, StoreError> {
        if let Some(known) = self.logs.by_name.get(log) {
            return Ok(known.id);
        }
        let id = self.logs.next_id;
        self.logs.next_id = id.saturating_add(1);
        let mut logs = transaction.open_table(LOGS).map_err(failed)?;
        logs.insert(log.as_str(), id).map_err(failed)?;
        let mut meta = transaction.open_table(META).map_err(failed)?;
        meta.insert(NEXT_LOG, u64::from(self.logs.next_id)).map_err(failed)?;
        Ok(id)
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

impl WriteJob {
    fn waiting(self) -> PendingAnswer {
        match self {
            Self::Append(_, answer) => PendingAnswer::Append(answer, Ok(())),
            Self::KeepState { answer, .. } | Self::Install(_, answer) | Self::Drop(_, answer) | Self::Flush(answer) => PendingAnswer::Other(answer),
        }
    }
}

impl PendingAnswer {
    // A caller that has gone gets no answer.
    fn succeed(self) {
        match self {
            Self::Append(answer, verdict) => _ = answer.send(verdict),
            Self::Other(answer) => _ = answer.send(Ok(())),
        }
    }

    fn fail(self, failure: &WriteFailure) {
        let (WriteFailure::Before(error) | WriteFailure::During(error)) = failure;
        let why = error.to_string();
        match self {
            Self::Append(answer, Err(refused)) => _ = answer.send(Err(refused)),
            Self::Append(answer, Ok(())) => {
                _ = answer.send(Err(match failure {
                    WriteFailure::Before(_) => AppendError::Unavailable(why),
                    WriteFailure::During(_) => AppendError::Unknown(why),
                }));
            }
            Self::Other(answer) => _ = answer.send(Err(StoreError::Unavailable(why))),
        }
    }
}
