//! The embedded store: a write-ahead log and a redb file in the data directory, one thread that writes them, an fdatasync before each
//! answer.
//!
//! ```text
//! append ─┐                       ┌─ while one batch is written, what arrives gathers ─┐
//! append ─┼─ channel ─> writer ───┤  and goes into the next one together               ├─> write-ahead log ─> mark ─> answers
//! append ─┘                       └────────────────────────────────────────────────────┘          │ fdatasync
//!                                                                                                 │
//!                    after some hundred entries, and with everything that is no append:  database <┘
//! ```
//!
//! A commit is one sequential write to the write-ahead log (`write_ahead`). Its entries are kept in memory as well (`recent`), where
//! readers find them behind those of the database (`view`), until the database takes them over, many in one transaction
//! (`writer/take_over`). What cannot go to the log, because it is no append, is too large, or the disk has no space for the log, goes to
//! the database in a transaction of its own, as all writes of a mirror do. Heads are kept in memory and derived from the last entry of
//! each log when the files are opened.
//!
//! `ripcord.wal` is there while the store is open; one that was closed in order has everything in the database. Two small files lie
//! beside them: `ripcord.lock` keeps a second process out, and `ripcord.head` (`commit_marker`) records after every commit which entry
//! was the last. If the newest commit is damaged, redb silently falls back to the one before, and the last batch of the write-ahead log
//! looks as if it had been torn before it was answered; the marker detects both. After a write that failed, the files are opened again
//! as soon as the disk takes writes (`reopen`).

mod commit_marker;
mod directory;
mod job;
mod logs;
mod open;
mod read;
mod recent;
mod reopen;
mod replay;
mod schema;
#[cfg(test)]
mod tests;
mod view;
mod write_ahead;
mod write_batch;
mod writer;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use ripcord_proto::commit::Sealed;
use ripcord_proto::{Position, Sequence};
use tokio::sync::{mpsc, oneshot, watch};

use self::directory::DirectoryLock;
use self::job::{JobAnswer, WriteJob};
use self::view::{SharedView, StoreView};
pub use self::writer::Flush;
use self::writer::WriterParts;
use super::state::StoredState;
use super::{Append, AppendError, Contents, FeedEvent, Head, Loaded, LogName, Settled, Store, StoreError, StoreHealth};
use crate::clock::Clock;
use crate::tasks;

/// Jobs that may wait for the writer; beyond that, callers wait.
const QUEUE: usize = 1024;

/// The embedded store.
pub struct EmbeddedStore {
    jobs: Mutex<Option<mpsc::Sender<WriteJob>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    view: SharedView,
    health: watch::Receiver<StoreHealth>,
    // Last, so that the file is closed before another process may open it.
    lock: Mutex<Option<DirectoryLock>>,
}

impl std::fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedStore").field("health", &*self.health.borrow()).finish_non_exhaustive()
    }
}

impl EmbeddedStore {
    /// Opens the store in `directory`, which is created if it is missing. Verifies every page of the database, all of the write-ahead log
    /// and the newest part of every log; refuses files that are damaged or that lost an acknowledged entry. Blocks.
    pub fn open(directory: &Path, flush: Flush, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let lock = DirectoryLock::take(directory)?;
        let opened = open::open(directory)?;
        let view = SharedView::default();
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (health, healthy) = watch::channel(StoreHealth::available(clock.now()));
        let parts = WriterParts {
            directory: directory.to_owned(),
            view: view.clone(),
            jobs: jobs.downgrade(),
            health,
            clock,
        };
        let writer = writer::StoreWriter::new(opened, flush, parts);
        let thread = tasks::thread("ripcord-store", move || writer.run(queue)).map_err(|source| StoreError::File {
            path: directory.to_owned(),
            source,
        })?;
        Ok(Self {
            jobs: Mutex::new(Some(jobs)),
            writer: Mutex::new(Some(thread)),
            view,
            health: healthy,
            lock: Mutex::new(Some(lock)),
        })
    }

    /// Where each log ends.
    pub async fn heads(&self) -> Result<BTreeMap<LogName, Head>, StoreError> {
        self.reading(read::heads).await
    }

    /// Flushes what was committed lazily.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.ask(WriteJob::Flush).await
    }

    fn jobs(&self) -> Option<mpsc::Sender<WriteJob>> {
        self.jobs.lock().clone()
    }

    async fn ask(&self, job: impl FnOnce(JobAnswer<StoreError>) -> WriteJob + Send) -> Result<(), StoreError> {
        let closed = || StoreError::Unavailable("it is closed".to_owned());
        let (answer, answered) = oneshot::channel();
        let jobs = self.jobs().ok_or_else(closed)?;
        jobs.send(job(answer)).await.map_err(|_| closed())?;
        drop(jobs);
        answered.await.map_err(|_| closed())?
    }

    /// Runs `read` on a thread that may wait for the disk.
    async fn reading<T: Send + 'static>(&self, read: impl FnOnce(&StoreView) -> Result<T, StoreError> + Send + 'static) -> Result<T, StoreError> {
        let view = self.view.load().ok_or_else(|| StoreError::Unavailable("its files are closed".to_owned()))?;
        tasks::blocking(move || read(&view))
            .await
            .map_err(|error| StoreError::Unavailable(format!("a read failed: {error}")))?
    }

    /// Ends the writer once its queue is empty, and closes the file. Can be called twice.
    fn shut(&self) {
        drop(self.jobs.lock().take());
        let writer = self.writer.lock().take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the store's writer thread panicked; the file is verified at the next start");
        }
        drop(self.view.take());
        drop(self.lock.lock().take());
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.shut();
    }
}

impl Store for EmbeddedStore {
    fn load<'a>(&'a self, log: &'a LogName) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        let log = log.clone();
        self.reading(move |view| read::load(view, &log)).boxed()
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), AppendError>> {
        let closed = || AppendError::Unavailable("it is closed".to_owned());
        async move {
            let (answer, answered) = oneshot::channel();
            let jobs = self.jobs().ok_or_else(closed)?;
            jobs.send(WriteJob::Append(append, answer)).await.map_err(|_| closed())?;
            drop(jobs);
            let lost = |_| Err(AppendError::Unknown("the writer ended before it answered".to_owned()));
            answered.await.unwrap_or_else(lost)
        }
        .boxed()
    }

    fn read<'a>(&'a self, log: &'a LogName, after: Sequence, limit: usize) -> BoxFuture<'a, Result<Vec<Sealed>, StoreError>> {
        let log = log.clone();
        self.reading(move |view| read::entries(view, &log, after, limit)).boxed()
    }

    fn state_before<'a>(&'a self, log: &'a LogName, at: Position) -> BoxFuture<'a, Result<Option<StoredState>, StoreError>> {
        let log = log.clone();
        self.reading(move |view| read::state_before(view, &log, at)).boxed()
    }

    fn keep_state<'a>(&'a self, log: &'a LogName, state: StoredState) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let head = state.head;
            let bytes = tasks::blocking(move || state.encode())
                .await
                .map_err(|error| StoreError::Unavailable(format!("cannot encode a state: {error}")))?
                .map_err(|error| StoreError::Corrupt(error.to_string()))?;
            let log = log.clone();
            self.ask(|answer| WriteJob::KeepState { log, head, bytes, answer }).await
        }
        .boxed()
    }

    fn settle<'a>(&'a self, append: &'a Append) -> BoxFuture<'a, Result<Settled, StoreError>> {
        let (log, head) = (append.log.clone(), append.head());
        self.reading(move |view| read::settle(view, &log, head)).boxed()
    }

    fn logs(&self) -> BoxFuture<'_, Result<Vec<LogName>, StoreError>> {
        self.reading(read::logs).boxed()
    }

    fn install(&self, contents: Vec<Contents>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.ask(|answer| WriteJob::Install(contents, answer)).boxed()
    }

    fn drop_log<'a>(&'a self, log: &'a LogName) -> BoxFuture<'a, Result<(), StoreError>> {
        let log = log.clone();
        self.ask(|answer| WriteJob::Drop(log, answer)).boxed()
    }

    fn health(&self) -> watch::Receiver<StoreHealth> {
        self.health.clone()
    }

    fn feed(&self) -> Option<mpsc::Receiver<FeedEvent>> {
        None
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let flushed = self.ask(WriteJob::Flush).await;
            self.shut();
            match flushed {
                Err(StoreError::Unavailable(_)) | Ok(()) => Ok(()),
                Err(error) => Err(error),
            }
        }
        .boxed()
    }
}
