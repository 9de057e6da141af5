//! The writer: the only thread that writes the file. It takes whatever has gathered, writes it in one transaction, and answers
//! when that is on the disk.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use redb::{Database, Durability};
use ripcord_proto::Sequence;
use ripcord_proto::rest::health::HealthCode;
use tokio::sync::{mpsc, watch};

use super::commit_marker::CommitMarker;
use super::job::{PendingAnswer, WriteFailure, WriteJob};
use super::open::{Logs, Opened};
use super::read::failed;
use super::reopen::{self, RETRY};
use super::write_batch::WriteBatch;
use crate::clock::Clock;
use crate::store::state::policy::StatePolicy;
use crate::store::{LogName, StoreError, StoreHealth, StoreState};
use crate::tasks;

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

pub(super) struct StoreWriter {
    directory: PathBuf,
    /// What readers use; empty while the file is opened again.
    shared: Arc<ArcSwapOption<Database>>,
    /// Queues the attempts to open the file again.
    jobs: mpsc::WeakSender<WriteJob>,
    logs: Logs,
    marker: CommitMarker,
    flush: Flush,
    flushed: Instant,
    policy: StatePolicy,
    health: watch::Sender<StoreHealth>,
    clock: Arc<dyn Clock>,
    is_retrying: bool,
}

/// Where a writer works, and whom it tells.
pub(super) struct WriterParts {
    pub(super) directory: PathBuf,
    pub(super) shared: Arc<ArcSwapOption<Database>>,
    pub(super) jobs: mpsc::WeakSender<WriteJob>,
    pub(super) health: watch::Sender<StoreHealth>,
    pub(super) clock: Arc<dyn Clock>,
}

impl StoreWriter {
    /// Over what was opened.
    pub(super) fn new(opened: Opened, flush: Flush, parts: WriterParts) -> Self {
        let Opened { database, logs, marker } = opened;
        parts.shared.store(Some(Arc::new(database)));
        Self {
            directory: parts.directory,
            shared: parts.shared,
            jobs: parts.jobs,
            logs,
            marker,
            flush,
            flushed: Instant::now(),
            policy: StatePolicy::default(),
            health: parts.health,
            clock: parts.clock,
            is_retrying: false,
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
        if self.flush == Flush::Lazily
            && let Some(database) = self.shared.load_full()
        {
            database.begin_write().map_err(failed)?.commit().map_err(failed)?;
            self.mark(None)?;
        }
        self.marker.flush()
    }

    fn write(&mut self, mut jobs: VecDeque<WriteJob>) {
        if jobs.iter().any(|job| matches!(job, WriteJob::Reopen)) {
            jobs.retain(|job| !matches!(job, WriteJob::Reopen));
            self.reopen();
        }
        if jobs.is_empty() {
            return;
        }
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
                self.retry();
                batch.waiting.into_iter().for_each(|waiting| waiting.fail(&failure));
            }
        }
    }

    fn transact(&self, batch: &mut WriteBatch, jobs: VecDeque<WriteJob>) -> Result<(), WriteFailure> {
        let Some(database) = self.shared.load_full() else {
            batch.waiting.extend(jobs.into_iter().filter_map(WriteJob::waiting));
            return Err(WriteFailure::Before(StoreError::Unavailable("its file cannot be opened again yet".to_owned())));
        };
        let begun = database.begin_write().map_err(failed);
        let mut transaction = match begun {
            Ok(transaction) => transaction,
            Err(error) => {
                batch.waiting.extend(jobs.into_iter().filter_map(WriteJob::waiting));
                return Err(WriteFailure::Before(error));
            }
        };
        let mut outcome = Ok(());
        for job in jobs {
            // After one failure the whole transaction is given up; the other jobs are only noted.
            if outcome.is_ok() {
                outcome = batch.take(&transaction, job, self.policy);
            } else {
                batch.waiting.extend(job.waiting());
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
            health.code = Some(HealthCode::StoreDisk);
            health.why = format!("cannot write to the data directory: {error}; free up space or repair the disk, and the store opens again on its own");
        });
    }

    /// Has the file opened again in a while: after a failed write, the database takes no more.
    fn retry(&mut self) {
        if self.is_retrying {
            return;
        }
        let jobs = self.jobs.clone();
        let started = tasks::thread("ripcord-store-retry", move || {
            std::thread::sleep(RETRY);
            if let Some(jobs) = jobs.upgrade() {
                // Fails only if the store is being closed.
                let _ = jobs.blocking_send(WriteJob::Reopen);
            }
        });
        self.is_retrying = started.is_ok();
    }

    fn reopen(&mut self) {
        self.is_retrying = false;
        match reopen::reopen(&self.directory, &self.shared) {
            Ok((logs, marker)) => {
                tracing::info!("the data directory can be written again; the store is open");
                (self.logs, self.marker) = (logs, marker);
                self.health.send_modify(|health| {
                    health.state = StoreState::Available;
                    health.since = self.clock.now();
                    health.code = None;
                    health.why.clear();
                });
            }
            Err(error) => {
                tracing::debug!(%error, "the store cannot be opened again yet");
                self.retry();
            }
        }
    }
}
