//! The writer: the only thread that writes the files. It takes whatever has gathered, writes it in one go, and answers when that is on
//! the disk.
//!
//! Appends go to the write-ahead log ([`appends`]). Everything else, and appends that end another log or find no space, goes to the
//! database, together with what the write-ahead log holds ([`take_over`]).

mod appends;
mod take_over;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use ripcord_proto::Sequence;
use ripcord_proto::rest::health::HealthCode;
use tokio::sync::{mpsc, watch};

use super::commit_marker::CommitMarker;
use super::job::{PendingAnswer, WriteFailure, WriteJob};
use super::logs::Logs;
use super::open::Opened;
use super::read::failed;
use super::reopen::{self, RETRY};
use super::schema::StoredFormat;
use super::view::SharedView;
use super::write_ahead::WriteAheadLog;
use crate::clock::Clock;
use crate::store::state::policy::StatePolicy;
use crate::store::{LogName, StoreError, StoreHealth, StoreState};
use crate::tasks;

/// Maximum number of jobs in one write.
const GATHER: usize = 512;
/// Entries in the write-ahead log beyond which the database takes them over.
const RECENT: usize = 512;

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
    /// What readers use; empty while the files are opened again.
    view: SharedView,
    /// Queues the attempts to open the files again.
    jobs: mpsc::WeakSender<WriteJob>,
    logs: Logs,
    /// What the database says about where entries are.
    format: StoredFormat,
    /// `None` for a mirror, and where it could not be made: then each commit goes to the database.
    write_ahead: Option<WriteAheadLog>,
    /// When it was made, or could not be.
    begun: Instant,
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
    pub(super) view: SharedView,
    pub(super) jobs: mpsc::WeakSender<WriteJob>,
    pub(super) health: watch::Sender<StoreHealth>,
    pub(super) clock: Arc<dyn Clock>,
}

impl StoreWriter {
    /// Over what was opened.
    pub(super) fn new(opened: Opened, flush: Flush, parts: WriterParts) -> Self {
        let Opened { view, format, logs, marker } = opened;
        parts.view.put(view);
        Self {
            directory: parts.directory,
            view: parts.view,
            jobs: parts.jobs,
            logs,
            format,
            write_ahead: None,
            begun: Instant::now(),
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
        if let Err(failure) = self.begin_log() {
            self.fail(&failure, Vec::new());
        }
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
        if self.write_ahead.is_some() {
            self.end_log()?;
        }
        if self.flush == Flush::Lazily
            && let Some(view) = self.view.load()
        {
            view.database.begin_write().map_err(failed)?.commit().map_err(failed)?;
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
        let left = self.append(jobs);
        if !left.is_empty() {
            self.write_through(left);
        }
        // After the answers, so that only the next job may have to wait for this.
        let maintained = match self.write_ahead {
            Some(_) if self.view.recent_count() >= RECENT => self.take_over(self.next_format()),
            Some(_) => Ok(()),
            None => self.begin_log_late(),
        };
        if let Err(failure) = maintained {
            self.fail(&failure, Vec::new());
        }
    }

    /// Answers that a write failed; the files are opened again before the next one.
    fn fail(&mut self, failure: &WriteFailure, waiting: Vec<PendingAnswer>) {
        self.write_ahead = None;
        self.report(failure);
        self.retry();
        for waiting in waiting {
            waiting.fail(failure);
        }
    }

    /// Writes the commit marker after a commit, which stands even if the marker cannot be written.
    fn mark_written(&mut self, last: Option<&LogName>) {
        if let Err(error) = self.mark(last) {
            tracing::error!(%error, "cannot write the commit marker");
        }
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

    /// Has the files opened again in a while: after a failed write, nothing more is written to them.
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
        let opened = match reopen::reopen(&self.directory, &self.view) {
            Ok(opened) => opened,
            Err(error) => {
                tracing::debug!(%error, "the store cannot be opened again yet");
                return self.retry();
            }
        };
        let Opened { view, format, logs, marker } = opened;
        self.view.put(view);
        (self.format, self.logs, self.marker) = (format, logs, marker);
        if let Err(failure) = self.begin_log() {
            return self.fail(&failure, Vec::new());
        }
        tracing::info!("the data directory can be written again; the store is open");
        self.health.send_modify(|health| {
            health.state = StoreState::Available;
            health.since = self.clock.now();
            health.code = None;
            health.why.clear();
        });
    }
}
