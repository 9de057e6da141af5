//! The writer: one task for each log, the only owner of where the log stands.
//!
//! It takes orders from two queues, urgent ones first, and what other nodes committed from the feed. A batch of orders is
//! admitted one behind the other against the states that they make, appended in one atomic step, and only then shown to the
//! [`Sink`], which swaps; the callers are answered last. What the store refuses because the log has moved on is admitted anew
//! on top of what the feed brings. What the store leaves in doubt is settled by its digest before anything else is appended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ripcord_proto::commit::{Commit, Recorded, Sealed};
use ripcord_proto::digest::Digest;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::idempotency::Answered;
use super::meters::Meters;
use super::{Answer, Answerer, Author, Call, CommitError, Committed, Made};
use crate::clock::Clock;
use crate::store::{Append, AppendError, Head, Loaded, LogName, Settled, Store, StoreHealth, StoreState};

/// Orders of one batch, at most. More would hold up the first of them without making the store any faster.
const BATCH: usize = 256;
/// Orders that wait, at most, for each queue. Beyond it, submitting waits.
const QUEUE: usize = 1024;
/// How long the writer waits for the feed to bring what moved the log, before it looks itself.
const FEED_PATIENCE: Duration = Duration::from_millis(500);
/// How often an order is admitted anew because other nodes were faster, at most.
const ATTEMPTS: u32 = 20;
/// How often an append in doubt is asked about while the store seems to be there.
const SETTLE_EVERY: Duration = Duration::from_millis(250);

/// What a draft of any log has.
pub(crate) trait LogDraft: Send + 'static {
    /// By whom.
    fn author(&self) -> &Author;
    /// Why.
    fn reason(&self) -> Option<String>;
    /// The idempotent call that it is.
    fn call(&self) -> Option<&Call>;
    /// An answer that was given before, to be recorded with it.
    fn answered(&self) -> Option<&Recorded> {
        None
    }
    /// Makes its answer.
    fn answer(&self) -> &Answerer;
}

/// A draft that may be committed.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// Whether it goes ahead of everything on its way to the readers.
    pub(crate) urgent: bool,
    /// What it makes.
    pub(crate) made: Made,
}

/// The state of a log: what its commits add up to.
pub(crate) trait LogState: Clone + Send + Sync + 'static {
    /// What may be asked of it.
    type Draft: LogDraft;
    /// Where its log ends.
    fn head(&self) -> Head;
    /// Whether the draft may be committed, and what that changes.
    fn admit(&self, draft: &Self::Draft) -> Result<Admitted, CommitError>;
    /// Seals a commit behind the head; answers it with the state that it makes.
    fn seal(&self, commit: Commit) -> Result<(Sealed, Self), serde_json::Error>;
    /// The state that a sealed entry makes.
    fn after(&self, entry: &Sealed) -> Self;
    /// Whether the state is what the entry that made it says; else its own hash.
    fn agrees(&self, entry: &Sealed) -> Result<(), Digest>;
}

/// Where states become visible.
pub(crate) trait Sink<S>: Send + Sync + 'static {
    /// `entries` are durable and lead from `before` to `after`. Returns when readers see it.
    fn advance(&self, before: &S, after: &S, entries: &[Sealed]);
    /// The log goes on in a new epoch with this state; `orphaned` entries are no longer part of it.
    fn replaced(&self, after: &S, orphaned: Vec<Sealed>);
}

/// What the feed brings a writer.
#[derive(Debug)]
pub(crate) enum Fed<S> {
    /// Entries of other nodes.
    Entries(Vec<Sealed>),
    /// Something may have been missed: look at the store.
    Look,
    /// A whole new state.
    Replaced {
        /// The state.
        state: Box<S>,
        /// Entries that are no longer part of the log.
        orphaned: Vec<Sealed>,
    },
}

/// What becomes of an order whose caller has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Abandoned {
    /// It is carried out all the same.
    Finish,
    /// It is left, unless it is on its way to the store: its caller has found another way.
    Skip,
}

struct Order<D> {
    draft: D,
    abandoned: Abandoned,
    reply: oneshot::Sender<Result<Committed, CommitError>>,
    attempts: u32,
}

/// The way to a writer. Cheap to clone; the writer ends when the last one is dropped.
#[derive(Debug)]
pub(crate) struct Committer<S: LogState> {
    urgent: mpsc::Sender<Order<S::Draft>>,
    ordinary: mpsc::Sender<Order<S::Draft>>,
    feed: mpsc::Sender<Fed<S>>,
    state: watch::Receiver<Arc<S>>,
    answered: Arc<Answered>,
    meters: Meters,
}

impl<D> std::fmt::Debug for Order<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order").field("attempts", &self.attempts).finish_non_exhaustive()
    }
}

impl<S: LogState> Clone for Committer<S> {
    fn clone(&self) -> Self {
        Self {
            urgent: self.urgent.clone(),
            ordinary: self.ordinary.clone(),
            feed: self.feed.clone(),
            state: self.state.clone(),
            answered: Arc::clone(&self.answered),
            meters: self.meters.clone(),
        }
    }
}

/// Which queue an order waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    /// Ahead of everything.
    Urgent,
    /// In its turn.
    Ordinary,
}

impl<S: LogState> Committer<S> {
    /// Submits a draft and waits for what becomes of it. A caller that stops waiting takes nothing back.
    pub(crate) async fn submit(&self, draft: S::Draft, queue: Queue, abandoned: Abandoned) -> Result<Committed, CommitError> {
        let (reply, answer) = oneshot::channel();
        let order = Order {
            draft,
            abandoned,
            reply,
            attempts: 0,
        };
        let lane = match queue {
            Queue::Urgent => &self.urgent,
            Queue::Ordinary => &self.ordinary,
        };
        let ended = || CommitError::Internal("the server is shutting down".to_owned());
        let since = Instant::now();
        lane.send(order).await.map_err(|_| ended())?;
        let answer = answer.await.map_err(|_| ended())?;
        self.meters.answered(since, &answer);
        answer
    }

    /// The state as of the last swap.
    pub(crate) fn state(&self) -> Arc<S> {
        Arc::clone(&self.state.borrow())
    }

    /// Changes of the state from now on.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<S>> {
        self.state.clone()
    }

    /// The calls that were answered.
    pub(crate) fn answered(&self) -> &Arc<Answered> {
        &self.answered
    }

    /// Hands over what the feed brought.
    pub(crate) async fn feed(&self, fed: Fed<S>) {
        // A writer that is gone is being shut down; what it would have shown is in the store.
        let _ = self.feed.send(fed).await;
    }
}

/// What a writer needs.
pub(crate) struct Writer<S: LogState> {
    log: LogName,
    state: Arc<S>,
    store: Arc<dyn Store>,
    health: watch::Receiver<StoreHealth>,
    sink: Arc<dyn Sink<S>>,
    clock: Arc<dyn Clock>,
    restore: fn(&LogName, &Loaded) -> Option<S>,
    urgent: mpsc::Receiver<Order<S::Draft>>,
    ordinary: mpsc::Receiver<Order<S::Draft>>,
    feed: mpsc::Receiver<Fed<S>>,
    publish: watch::Sender<Arc<S>>,
    answered: Arc<Answered>,
    meters: Meters,
    doubt: Option<Append>,
}

/// The rooms that a writer works with.
pub(crate) struct Around<S: LogState> {
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

/// A batch that was admitted: the orders with what they made, the entries, and the state after the last of them.
struct Batch<S: LogState> {
    orders: Vec<(Order<S::Draft>, Admission)>,
    entries: Vec<Sealed>,
    state: S,
}

/// What becomes of one order of a batch, once the batch is durable.
enum Admission {
    /// The entry of this index is its commit.
    Commits(usize, Answer, Made),
    /// Nothing had to change.
    Nothing(Answer, Made),
    /// It was answered before.
    Replayed(Answer),
    /// It may not be.
    Refused(CommitError),
}

impl<S: LogState> Writer<S> {
    /// A writer that goes on from `state`, and the way to it. `answered` holds the calls of the last 24 hours.
    pub(crate) fn new(log: LogName, state: S, answered: Arc<Answered>, around: Around<S>) -> (Self, Committer<S>) {
        let meters = Meters::new(&log);
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
            meters: meters.clone(),
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
            meters,
            doubt: None,
        };
        (writer, committer)
    }

    /// Writes until `stop`, or until nobody can submit any more. Orders that were taken are finished.
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
    fn gather(&mut self, first: Order<S::Draft>) -> Vec<Order<S::Draft>> {
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
        orders.retain(|order| order.abandoned == Abandoned::Finish || !order.reply.is_closed());
        orders
    }

    async fn commit(&mut self, mut orders: Vec<Order<S::Draft>>) {
        while !orders.is_empty() {
            if self.doubt.is_some() {
                self.settle().await;
            }
            if self.doubt.is_some() {
                return refuse(orders, &CommitError::Unavailable("an earlier write is still in doubt".to_owned()));
            }
            let batch = self.admit(orders);
            if batch.entries.is_empty() {
                return self.answer(batch);
            }
            let append = Append {
                log: self.log.clone(),
                expected: self.state.head(),
                entries: batch.entries.clone(),
            };
            let since = Instant::now();
            match self.store.append(append.clone()).await {
                Ok(()) => {
                    self.meters.appended(batch.entries.len(), since);
                    self.advance(batch.state.clone(), &batch.entries);
                    return self.answer(batch);
                }
                Err(AppendError::Moved { actual }) => {
                    self.catch_up(actual).await;
                    orders = again(batch);
                }
                Err(AppendError::Unavailable(why)) => return refuse_batch(batch, &CommitError::Unavailable(why)),
                Err(AppendError::Reseeding) => return refuse_batch(batch, &CommitError::Reseeding),
                Err(AppendError::Unknown(why)) => {
                    tracing::warn!(log = %self.log, why, "a write is in doubt; it is settled when the store is back");
                    self.doubt = Some(append);
                    return refuse_batch(batch, &CommitError::OutcomeUnknown);
                }
            }
        }
    }

    /// Admits orders one behind the other, each on the state that the ones before it make.
    fn admit(&self, orders: Vec<Order<S::Draft>>) -> Batch<S> {
        let mut batch = Batch {
            orders: Vec::with_capacity(orders.len()),
            entries: Vec::new(),
            state: S::clone(&self.state),
        };
        for order in orders {
            let admission = self.admit_one(&order.draft, &mut batch).unwrap_or_else(Admission::Refused);
            batch.orders.push((order, admission));
        }
        batch
    }

    fn admit_one(&self, draft: &S::Draft, batch: &mut Batch<S>) -> Result<Admission, CommitError> {
        if let Some(call) = draft.call() {
            if let Some(answer) = self.answered.find(call)? {
                return Ok(Admission::Replayed(answer));
            }
            if let Some(answer) = answered_in(batch, call)? {
                return Ok(Admission::Replayed(answer));
            }
        }
        let Admitted { urgent, made } = batch.state.admit(draft)?;
        let answer = (draft.answer().0)(&made);
        let idempotency = draft.call().map(|call| call.record(&answer)).or_else(|| draft.answered().cloned());
        if made.changes.is_empty() && idempotency.is_none() {
            return Ok(Admission::Nothing(answer, made));
        }
        let head = batch.state.head();
        let commit = Commit {
            sequence: head.sequence.next(),
            epoch: head.epoch,
            revision: None,
            at: self.clock.now(),
            actor: draft.author().actor.clone(),
            origin: draft.author().origin.clone(),
            reason: draft.reason(),
            urgent,
            changes: made.changes.clone(),
            hash: None,
            idempotency,
        };
        let (sealed, next) = batch.state.seal(commit).map_err(|error| CommitError::Internal(error.to_string()))?;
        batch.state = next;
        batch.entries.push(sealed);
        Ok(Admission::Commits(batch.entries.len() - 1, answer, made))
    }

    /// Shows durable entries, then remembers where the log stands.
    fn advance(&mut self, after: S, entries: &[Sealed]) {
        self.answered.follow(entries);
        self.sink.advance(&self.state, &after, entries);
        self.state = Arc::new(after);
        self.publish.send_replace(Arc::clone(&self.state));
    }

    fn answer(&self, batch: Batch<S>) {
        let at = Instant::now();
        for (order, admission) in batch.orders {
            let answer = match admission {
                Admission::Commits(index, answer, made) => {
                    let commit = batch.entries.get(index).map(|entry| Arc::clone(&entry.commit));
                    Ok(Committed {
                        position: made.position,
                        commit,
                        answer,
                        replayed: false,
                        at,
                    })
                }
                Admission::Nothing(answer, made) => Ok(Committed {
                    position: made.position,
                    commit: None,
                    answer,
                    replayed: false,
                    at,
                }),
                Admission::Replayed(answer) => Ok(Committed {
                    position: self.state.head().position(),
                    commit: None,
                    answer,
                    replayed: true,
                    at,
                }),
                Admission::Refused(error) => Err(error),
            };
            // A caller that has gone does not need its answer.
            let _ = order.reply.send(answer);
        }
    }

    /// Takes in what other nodes committed, up to `actual`, from the feed or, where that is silent, from the store itself.
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
            Err(error) => tracing::warn!(log = %self.log, %error, "could not read what moved the log"),
        }
    }

    async fn take_in(&mut self, fed: Fed<S>) {
        match fed {
            Fed::Entries(entries) => {
                if let Followed::Gap = self.follow(&entries) {
                    self.read_up().await;
                }
            }
            Fed::Look => self.read_up().await,
            Fed::Replaced { state, orphaned } => {
                self.doubt = None;
                self.replace(*state, orphaned);
            }
        }
    }

    fn replace(&mut self, state: S, orphaned: Vec<Sealed>) {
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
                tracing::warn!(log = %self.log, at = %state.head().sequence, got = %entry.commit.sequence, "the feed left a gap");
                return Followed::Gap;
            }
            state = state.after(entry);
            if let Err(own) = state.agrees(entry) {
                tracing::error!(log = %self.log, sequence = %entry.commit.sequence, %own, "the state after a commit is not what the commit says");
            }
        }
        if !news.is_empty() {
            self.advance(state, news);
        }
        Followed::UpToDate
    }

    /// Finds out whether an append in doubt was written, as soon as the store can say.
    async fn settle(&mut self) {
        let Some(append) = self.doubt.clone() else { return };
        if self.health.borrow().state == StoreState::Unreachable {
            return;
        }
        match self.store.settle(&append).await {
            Ok(Settled::Written) => {
                tracing::info!(log = %self.log, "the write in doubt was made");
                self.doubt = None;
                if let Followed::Gap = self.follow(&append.entries) {
                    self.read_up().await;
                }
            }
            Ok(Settled::NotWritten) => {
                tracing::info!(log = %self.log, "the write in doubt was not made");
                self.doubt = None;
            }
            Err(error) => tracing::debug!(log = %self.log, %error, "still in doubt"),
        }
    }
}

/// The answer that an earlier order of the same batch gives to the same call.
fn answered_in<S: LogState>(batch: &Batch<S>, call: &Call) -> Result<Option<Answer>, CommitError> {
    let same = |other: &Call| other.caller == call.caller && other.route == call.route && other.key == call.key;
    for (order, admission) in &batch.orders {
        let Some(other) = order.draft.call().filter(|other| same(other)) else {
            continue;
        };
        match admission {
            Admission::Commits(_, answer, _) | Admission::Nothing(answer, _) | Admission::Replayed(answer) => {
                return if other.request == call.request {
                    Ok(Some(answer.clone()))
                } else {
                    Err(CommitError::IdempotencyMismatch)
                };
            }
            Admission::Refused(_) => {}
        }
    }
    Ok(None)
}

/// The orders of a batch whose append found the log moved, to be admitted anew.
fn again<S: LogState>(batch: Batch<S>) -> Vec<Order<S::Draft>> {
    let mut orders = Vec::with_capacity(batch.orders.len());
    for (mut order, _) in batch.orders {
        order.attempts += 1;
        if order.attempts < ATTEMPTS {
            orders.push(order);
        } else {
            let _ = order.reply.send(Err(CommitError::Unavailable("other nodes kept writing faster".to_owned())));
        }
    }
    orders
}

fn refuse<D>(orders: Vec<Order<D>>, error: &CommitError) {
    for order in orders {
        let _ = order.reply.send(Err(error.clone()));
    }
}

/// Nothing of the batch was written: refusals stay what they were, replays are answered, the rest gets `error`.
fn refuse_batch<S: LogState>(batch: Batch<S>, error: &CommitError) {
    let at = Instant::now();
    let position = batch.state.head().position();
    for (order, admission) in batch.orders {
        let answer = match admission {
            Admission::Refused(refusal) => Err(refusal),
            Admission::Replayed(answer) => Ok(Committed {
                position,
                commit: None,
                answer,
                replayed: true,
                at,
            }),
            Admission::Nothing(..) | Admission::Commits(..) => Err(error.clone()),
        };
        let _ = order.reply.send(answer);
    }
}
