//! The mirror: the same logs in the data directory, so that this node can start without Redis, read history without the network,
//! and re-seed an emptied Redis.
//!
//! It is fed off the commit path, by a bounded channel that never blocks the sender: what does not fit is fetched from Redis later.
//! Entries gather for some milliseconds and are written together. The mirror is flushed only twice a second anyway, and a separate
//! write for each commit would take processor time from the next one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use ripcord_proto::Sequence;
use ripcord_proto::commit::Sealed;
use ripcord_proto::digest::Digest;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::connection::RedisConnector;
use super::query;
use crate::store::embedded::EmbeddedStore;
use crate::store::{Append, AppendError, Contents, Head, LogName, Store as _, StoreError};
use crate::telemetry::names;

/// Batches that may wait to be written.
pub(super) const QUEUE: usize = 4096;
/// Entries fetched from Redis at once.
const BATCH: usize = 1000;
/// How long entries gather before they are written, unless a reader waits for them.
const GATHER: Duration = Duration::from_millis(10);
/// How often it is flushed.
const FLUSH: Duration = Duration::from_millis(500);
/// How long a reader waits for entries that are known but not mirrored yet.
const PATIENCE: Duration = Duration::from_secs(2);

fn report(outcome: Result<(), StoreError>, done: &str) {
    if let Err(error) = outcome {
        tracing::error!(%error, "the mirror in the data directory cannot be {done}; until it can, this node cannot start without Redis");
    }
}

/// Consecutive entries of one log.
pub(super) type LogEntries = (LogName, Vec<Sealed>);

/// The mirror.
#[derive(Debug)]
pub(super) struct Mirror {
    pub(super) store: EmbeddedStore,
    queue: mpsc::Sender<LogEntries>,
    heads: Mutex<BTreeMap<LogName, Head>>,
    /// Logs with entries that did not fit into the queue, or did not follow the mirror's.
    behind: Mutex<BTreeSet<LogName>>,
    /// Logs that Redis has other entries of than the mirror.
    broken: Mutex<BTreeSet<LogName>>,
    /// Entries that are queued, or written and not flushed.
    waiting: AtomicU64,
    advanced: Notify,
    /// Wakes the task to write gathered entries at once, because a reader waits for them.
    wanted: Notify,
}

impl Mirror {
    /// The mirror over `store`, and the queue for [`Self::run`].
    pub(super) async fn new(store: EmbeddedStore) -> Result<(Self, mpsc::Receiver<LogEntries>), StoreError> {
        let heads = store.heads().await?;
        let (queue, batches) = mpsc::channel(QUEUE);
        let mirror = Self {
            store,
            queue,
            heads: Mutex::new(heads),
            behind: Mutex::default(),
            broken: Mutex::default(),
            waiting: AtomicU64::new(0),
            advanced: Notify::new(),
            wanted: Notify::new(),
        };
        Ok((mirror, batches))
    }

    /// Where each mirrored log ends.
    pub(super) fn heads(&self) -> MutexGuard<'_, BTreeMap<LogName, Head>> {
        self.heads.lock()
    }

    fn behind(&self) -> MutexGuard<'_, BTreeSet<LogName>> {
        self.behind.lock()
    }

    /// Where a mirrored log ends.
    pub(super) fn head(&self, log: &LogName) -> Head {
        self.heads().get(log).copied().unwrap_or(Head::START)
    }

    /// Queues entries, in the order of the calls. Never waits.
    pub(super) fn offer(&self, log: &LogName, entries: Vec<Sealed>) {
        if entries.is_empty() {
            return;
        }
        let count = entries.len() as u64;
        self.waiting.fetch_add(count, Ordering::Relaxed);
        if self.queue.try_send((log.clone(), entries)).is_err() {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            self.behind().insert(log.clone());
        }
        self.measure();
    }

    #[expect(clippy::cast_precision_loss, reason = "a queue is short")]
    fn measure(&self) {
        let behind = self.behind().len() as u64;
        metrics::gauge!(names::MIRROR_WAITING).set((self.waiting.load(Ordering::Relaxed) + behind) as f64);
    }

    /// Waits a limited time until the mirror has the entry at `sequence`.
    pub(super) async fn reach(&self, log: &LogName, sequence: Sequence) {
        let reached = async {
            loop {
                let advanced = self.advanced.notified();
                if self.head(log).sequence >= sequence {
                    return;
                }
                self.wanted.notify_one();
                advanced.await;
            }
        };
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            tracing::warn!(%log, %sequence, "the mirror is behind");
        }
    }

    /// Writes the queue until `closing`, then the rest of it.
    pub(super) async fn run(&self, mut batches: mpsc::Receiver<LogEntries>, connector: &RedisConnector, closing: CancellationToken) {
        let mut flush = tokio::time::interval(FLUSH);
        flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // What was taken from the queue since the last flush.
        let mut taken = 0;
        loop {
            tokio::select! {
                Some(first) = batches.recv() => {
                    tokio::select! {
                        () = tokio::time::sleep(GATHER) => {}
                        () = self.wanted.notified() => {}
                        () = closing.cancelled() => {}
                    }
                    taken += self.take_gathered(first, &mut batches).await;
                }
                _ = flush.tick() => {
                    let was_behind = self.catch_up_where_behind(connector).await;
                    if taken > 0 || was_behind {
                        let flushed = self.store.flush().await;
                        if flushed.is_ok() {
                            self.waiting.fetch_sub(std::mem::take(&mut taken), Ordering::Relaxed);
                        }
                        report(flushed, "flushed");
                    }
                    self.measure();
                }
                () = closing.cancelled() => break,
            }
        }
        while let Ok(first) = batches.try_recv() {
            self.take_gathered(first, &mut batches).await;
        }
    }

    /// Writes all gathered entries, each log's together; returns how many were gathered.
    async fn take_gathered(&self, first: LogEntries, batches: &mut mpsc::Receiver<LogEntries>) -> u64 {
        let mut gathered = BTreeMap::from([first]);
        while let Ok((log, entries)) = batches.try_recv() {
            gathered.entry(log).or_default().extend(entries);
        }
        let mut taken = 0;
        for (log, entries) in gathered {
            taken += entries.len() as u64;
            self.take(&log, entries).await;
        }
        taken
    }

    async fn take(&self, log: &LogName, entries: Vec<Sealed>) {
        let expected = self.head(log);
        let (mut head, mut news) = (expected, Vec::with_capacity(entries.len()));
        for entry in entries {
            // This node's own entry is offered when it is answered, and again if the feed was faster.
            if entry.commit.sequence <= head.sequence {
                continue;
            }
            // Entries offered before the log was replaced do not follow any more.
            let follows = Digest::of([head.chain.bytes().as_slice(), entry.body.as_bytes()]) == entry.digest;
            if entry.commit.sequence != head.sequence.next() || !follows {
                self.behind().insert(log.clone());
                break;
            }
            head = head.after(&entry);
            news.push(entry);
        }
        if !news.is_empty() {
            report(self.append(log, expected, news).await, "written");
        }
    }

    async fn append(&self, log: &LogName, expected: Head, entries: Vec<Sealed>) -> Result<(), StoreError> {
        let append = Append {
            log: log.clone(),
            expected,
            entries,
        };
        let head = append.head();
        match self.store.append(append).await {
            Ok(()) => {
                self.heads().insert(log.clone(), head);
                self.advanced.notify_waiters();
                Ok(())
            }
            Err(AppendError::Moved { actual }) => {
                self.heads().insert(log.clone(), actual);
                self.behind().insert(log.clone());
                Ok(())
            }
            Err(error) => {
                self.behind().insert(log.clone());
                Err(StoreError::Unavailable(error.to_string()))
            }
        }
    }

    /// Whether any log was behind.
    async fn catch_up_where_behind(&self, connector: &RedisConnector) -> bool {
        let behind = std::mem::take(&mut *self.behind());
        let was_behind = !behind.is_empty();
        for log in behind {
            if let Err(error) = self.catch_up(&log, connector).await {
                tracing::debug!(%log, %error, "the mirror is still behind");
                if matches!(error, StoreError::Chain { .. }) {
                    self.broken.lock().insert(log.clone());
                }
                self.behind().insert(log);
            }
        }
        was_behind
    }

    /// Fetches the entries that the mirror of `log` lacks; returns their number. Fails if the entries in Redis do not follow the
    /// mirror's, which the health watch settles.
    pub(super) async fn catch_up(&self, log: &LogName, connector: &RedisConnector) -> Result<u64, StoreError> {
        let from = self.head(log);
        loop {
            let head = self.head(log);
            let live = connector.connection().map_err(|error| StoreError::Unavailable(error.to_string()))?;
            let raw = query::entries(&live, log, head.sequence, BATCH).await;
            let raw = raw.map_err(|error| StoreError::Unavailable(error.to_string()))?;
            if raw.is_empty() {
                return Ok(head.sequence.0 - from.sequence.0);
            }
            let (mut chain, mut entries) = (head.chain, Vec::with_capacity(raw.len()));
            for raw in raw {
                let entry = Sealed::open(raw.sequence, &raw.body, raw.digest, &chain).map_err(|source| StoreError::Chain { log: log.clone(), source })?;
                chain = entry.digest;
                entries.push(entry);
            }
            self.append(log, head, entries).await?;
        }
    }

    /// Replaces a log; returns where it ends now.
    pub(super) async fn replace(&self, contents: Contents) -> Result<Head, StoreError> {
        let (log, head) = (contents.log.clone(), contents.head());
        self.store.install(vec![contents]).await?;
        self.heads().insert(log, head);
        self.advanced.notify_waiters();
        Ok(head)
    }

    /// Reads again where each log ends.
    pub(super) async fn look(&self) -> Result<BTreeMap<LogName, Head>, StoreError> {
        let heads = self.store.heads().await?;
        self.heads().clone_from(&heads);
        Ok(heads)
    }

    /// The logs whose entries did not follow the mirror's since the last call.
    pub(super) fn take_broken(&self) -> BTreeSet<LogName> {
        std::mem::take(&mut *self.broken.lock())
    }

    /// Reads again what it holds, and fetches what it lacks: a failed write may have taken with it what was not flushed yet.
    pub(super) async fn recheck(&self) -> Result<(), StoreError> {
        let logs = self.look().await?;
        self.behind().extend(logs.into_keys());
        Ok(())
    }

    /// Forgets a log.
    pub(super) async fn drop_log(&self, log: &LogName) -> Result<(), StoreError> {
        self.heads().remove(log);
        self.behind().remove(log);
        self.store.drop_log(log).await
    }
}
