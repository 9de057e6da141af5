//! The writer: one task for each log, the only one that moves the end of the log.
//!
//! It takes orders from two queues, urgent ones first, and what other nodes committed from the feed. A batch of orders is
//! admitted one behind the other against the states that they make, appended in one atomic step, and only then shown to the
//! [`Sink`], which swaps; the callers are answered last. If the store refuses a batch because the log has moved on, the batch is
//! admitted again on top of what the feed brings. If the store does not confirm an append, the digest settles it before the next one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ripcord_proto::commit::Sealed;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::batch::DraftBatch;
use super::committer::{Committer, OnDisconnect, QueuedDraft};
use super::error::{CommitError, StoreFailure};
use super::idempotency::AnsweredCalls;
use super::metrics::CommitMetrics;
use super::traits::{FeedMessage, LogState, Sink};
use crate::clock::Clock;
use crate::store::{Append, AppendError, Head, Loaded, LogName, Settled, Store, StoreHealth, StoreState};

/// Orders of one batch, at most. More would hold up the first of them without making the store any faster.
const BATCH: usize = 256;
/// Orders that wait, at most, for each queue. Beyond it, submitting waits.
const QUEUE: usize = 1024;
/// How long the writer waits for the feed to bring new entries before it reads the log itself.
const FEED_PATIENCE: Duration = Duration::from_millis(500);
/// How often the writer checks an unconfirmed append while the store seems available.
const SETTLE_EVERY: Duration = Duration::from_millis(250);

/// What a writer needs.
pub(crate) struct LogWriter<S: LogState> {
    log: LogName,
    state: Arc<S>,
    store: Arc<dyn Store>,
    health: watch::Receiver<StoreHealth>,
    sink: Arc<dyn Sink<S>>,
    clock: Arc<dyn Clock>,
    restore: fn(&LogName, &Loaded) -> Option<S>,
    urgent: mpsc::Receiver<QueuedDraft<S::Draft>>,
    ordinary: mpsc::Receiver<QueuedDraft<S::Draft>>,
    feed: mpsc::Receiver<FeedMessage<S>>,
    publish: watch::Sender<Arc<S>>,
    answered: Arc<AnsweredCalls>,
    metrics: CommitMetrics,
    doubt: Option<Append>,
}

/// The parts that a writer works with.
pub(crate) struct WriterDeps<S: LogState> {
    /// Where commits become durable.
    pub(crate) store: Arc<dyn Store>,
    /// Where they become visible.
    pub(crate) sink: Arc<dyn Sink<S>>,
    /// What time it is.
    pub(crate) clock: Arc<dyn Clock>,
    /// Makes a state from what the store holds, for a log that moved without the feed telling.
    pub(crate) restore: fn(&LogName, &Loaded) -> Option<S>,
}

/// Whether entries could be followed.
enum Followed {
    /// They are in the state now.
    UpToDate,
    /// Entries between the state and them are missing.
    Gap,
}

impl<S: LogState> LogWriter<S> {
    /// A writer that starts from `state`, and its committer. `answered` holds the calls of the last 24 hours.
    pub(crate) fn new(log: LogName, state: S, answered: Arc<AnsweredCalls>, around: WriterDeps<S>) -> (Self, Committer<S>) {
        let metrics = CommitMetrics::new(&log);
        let (urgent, urgent_rx) = mpsc::channel(QUEUE);
        let (ordinary, ordinary_rx) = mpsc::channel(QUEUE);
        let (feed, feed_rx) = mpsc::channel(64);
        let state = Arc::new(state);
        let (publish, watch) = watch::channel(Arc::clone(&state));
        let committer = Committer {
            urgent,
            ordinary,
            feed,
            state: watch,
            answered: Arc::clone(&answered),
            metrics: metrics.clone(),
        };
        let health = around.store.health();
        let writer = Self {
            log,
            state,
            store: around.store,
            health,
            sink: around.sink,
            clock: around.clock,
            restore: around.restore,
            urgent: urgent_rx,
            ordinary: ordinary_rx,
            feed: feed_rx,
            publish,
            answered,
            metrics,
            doubt: None,
        };
        (writer, committer)
    }

    /// Writes until `stop`, or until the last committer is dropped. Orders that were taken are finished.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            let first = tokio::select! {
                biased;
                Some(order) = self.urgent.recv() => order,
                Some(fed) = self.feed.recv() => {
                    self.take_in(fed).await;
                    continue;
                }
                Some(order) = self.ordinary.recv() => order,
                () = stop.cancelled() => return,
                () = tokio::time::sleep(SETTLE_EVERY), if self.doubt.is_some() => {
                    self.settle().await;
                    continue;
                }
                else => return,
            };
            let orders = self.gather(first);
            self.commit(orders).await;
        }
    }

    /// The first order and what waits behind it, urgent ones first.
    fn gather(&mut self, first: QueuedDraft<S::Draft>) -> Vec<QueuedDraft<S::Draft>> {
        let mut orders = Vec::with_capacity(4);
        while orders.len() < BATCH
            && let Ok(order) = self.urgent.try_recv()
        {
            orders.push(order);
        }
        orders.insert(0, first);
        while orders.len() < BATCH
            && let Ok(order) = self.ordinary.try_recv()
        {
            orders.push(order);
        }
        orders.retain(|order| order.abandoned == OnDisconnect::Finish || !order.reply.is_closed());
        orders
    }

    async fn commit(&mut self, mut orders: Vec<QueuedDraft<S::Draft>>) {
        while !orders.is_empty() {
            if self.doubt.is_some() {
                self.settle().await;
            }
            if self.doubt.is_some() {
                let in_doubt = CommitError::Store(StoreFailure::Unavailable("an earlier write is still unconfirmed".to_owned()));
                return DraftBatch::admit(&*self.state, orders, &self.answered, &*self.clock).refuse(&in_doubt);
            }
            let batch = DraftBatch::admit(&*self.state, orders, &self.answered, &*self.clock);
            if batch.entries.is_empty() {
                return batch.answer();
            }
            let append = Append {
                log: self.log.clone(),
                expected: self.state.head(),
                entries: batch.entries.clone(),
            };
            let since = Instant::now();
            match self.append(append.clone(), &batch).await {
                Ok(()) => {
                    self.metrics.appended(batch.entries.len(), since);
                    self.advance(batch.state.clone(), &batch.entries);
                    return batch.answer();
                }
                Err(AppendError::Moved { actual }) => {
                    self.catch_up(actual).await;
                    orders = batch.again();
                }
                Err(AppendError::Unavailable(why)) => return batch.refuse(&CommitError::Store(StoreFailure::Unavailable(why))),
                Err(AppendError::Reseeding) => return batch.refuse(&CommitError::Store(StoreFailure::Reseeding)),
                Err(AppendError::Unknown(why)) => {
                    tracing::warn!(log = %self.log, why, "the store did not confirm a write; this is settled when the store is back");
                    self.doubt = Some(append);
                    return batch.refuse(&CommitError::Store(StoreFailure::OutcomeUnknown));
                }
            }
        }
    }

    /// Appends, and prepares the next state while the store writes.
    async fn append(&self, append: Append, batch: &DraftBatch<S>) -> Result<(), AppendError> {
        let preparing = async {
            // The store first: what carries the append to it may be a task of this same thread.
            tokio::task::yield_now().await;
            self.sink.prepare(&self.state, &batch.state, &batch.entries);
        };
        let (outcome, ()) = tokio::join!(self.store.append(append), preparing);
        outcome
    }

    /// Publishes durable entries, then records the new end of the log.
    fn advance(&mut self, after: S, entries: &[Sealed]) {
        self.answered.follow(entries);
        self.sink.advance(&self.state, &after, entries);
        self.state = Arc::new(after);
        self.publish.send_replace(Arc::clone(&self.state));
    }

    /// Applies what other nodes committed, up to `actual`, from the feed or, if that is silent, from the store.
    async fn catch_up(&mut self, actual: Head) {
        let behind = |state: &S| (state.head().epoch, state.head().sequence) < (actual.epoch, actual.sequence);
        while behind(&self.state) {
            match tokio::time::timeout(FEED_PATIENCE, self.feed.recv()).await {
                Ok(Some(fed)) => self.take_in(fed).await,
                Ok(None) | Err(_) => return self.read_up().await,
            }
        }
    }

    async fn read_up(&mut self) {
        match self.store.load(&self.log).await {
            Ok(loaded) => {
                if let Some(state) = (self.restore)(&self.log, &loaded)
                    && (state.head().epoch, state.head().sequence) > (self.state.head().epoch, self.state.head().sequence)
                {
                    tracing::info!(log = %self.log, head = ?state.head(), "caught up by reading the log");
                    self.replace(state, Vec::new());
                }
            }
            Err(error) => tracing::warn!(log = %self.log, %error, "cannot read the new entries of the log"),
        }
    }

    async fn take_in(&mut self, fed: FeedMessage<S>) {
        match fed {
            FeedMessage::Entries(entries) => {
                if let Followed::Gap = self.follow(&entries) {
                    self.read_up().await;
                }
            }
            FeedMessage::Look => self.read_up().await,
            FeedMessage::Revoked(keys) => {
                self.state = Arc::new(S::clone(&self.state).without_keys(keys));
                self.publish.send_replace(Arc::clone(&self.state));
            }
            FeedMessage::Replaced { state, orphaned } => {
                self.doubt = None;
                self.replace(*state, orphaned);
            }
        }
    }

    fn replace(&mut self, state: S, orphaned: Vec<Sealed>) {
        let state = state.replacing(&self.state);
        self.sink.replaced(&state, orphaned);
        self.state = Arc::new(state);
        self.publish.send_replace(Arc::clone(&self.state));
    }

    /// Follows entries that are not known yet.
    fn follow(&mut self, entries: &[Sealed]) -> Followed {
        let mut state = S::clone(&self.state);
        let known = entries.iter().take_while(|entry| entry.commit.sequence <= state.head().sequence).count();
        let news = entries.get(known..).unwrap_or_default();
        for entry in news {
            if entry.commit.sequence != state.head().sequence.next() {
                tracing::warn!(log = %self.log, at = %state.head().sequence, got = %entry.commit.sequence, "the feed skipped entries");
                return Followed::Gap;
            }
            state = state.after(entry);
            if let Err(own) = state.agrees(entry) {
                tracing::error!(log = %self.log, sequence = %entry.commit.sequence, %own, "the state after a commit does not match the commit");
            }
        }
        if !news.is_empty() {
            self.advance(state, news);
        }
        Followed::UpToDate
    }

    /// Finds out whether an unconfirmed append was written, as soon as the store can tell.
    async fn settle(&mut self) {
        let Some(append) = self.doubt.clone() else { return };
        if self.health.borrow().state == StoreState::Unreachable {
            return;
        }
        match self.store.settle(&append).await {
            Ok(Settled::Written) => {
                tracing::info!(log = %self.log, "the unconfirmed write was made");
                self.doubt = None;
                if let Followed::Gap = self.follow(&append.entries) {
                    self.read_up().await;
                }
            }
            Ok(Settled::NotWritten) => {
                tracing::info!(log = %self.log, "the unconfirmed write was not made");
                self.doubt = None;
            }
            Err(error) => tracing::debug!(log = %self.log, %error, "the write is still unconfirmed"),
        }
    }
}
