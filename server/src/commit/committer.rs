//! Submits drafts to a writer: they wait in two queues, and each gets a reply.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};

use super::error::CommitError;
use super::idempotency::AnsweredCalls;
use super::metrics::CommitMetrics;
use super::outcome::Outcome;
use super::traits::{FeedMessage, LogState};

/// What happens to an order whose caller has disconnected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnDisconnect {
    /// It is carried out anyway.
    Finish,
    /// It is dropped unless it is already being written: its caller has found a different way.
    Skip,
}

/// A draft that waits for its commit.
pub(super) struct QueuedDraft<D> {
    pub(super) draft: D,
    pub(super) abandoned: OnDisconnect,
    pub(super) reply: oneshot::Sender<Result<Outcome, CommitError>>,
    /// How often it was admitted and found the log moved.
    pub(super) attempts: u32,
}

/// Submits drafts to a writer. Cheap to clone; the writer ends when the last one is dropped.
#[derive(Debug)]
pub(crate) struct Committer<S: LogState> {
    pub(super) urgent: mpsc::Sender<QueuedDraft<S::Draft>>,
    pub(super) ordinary: mpsc::Sender<QueuedDraft<S::Draft>>,
    pub(super) feed: mpsc::Sender<FeedMessage<S>>,
    pub(super) state: watch::Receiver<Arc<S>>,
    pub(super) answered: Arc<AnsweredCalls>,
    pub(super) metrics: CommitMetrics,
}

impl<D> std::fmt::Debug for QueuedDraft<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueuedDraft").field("attempts", &self.attempts).finish_non_exhaustive()
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
            metrics: self.metrics.clone(),
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
    /// Submits a draft and waits for its outcome. It is not cancelled if the caller stops waiting.
    pub(crate) async fn submit(&self, draft: S::Draft, queue: Queue, abandoned: OnDisconnect) -> Result<Outcome, CommitError> {
        let (reply, answer) = oneshot::channel();
        let order = QueuedDraft {
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
        self.metrics.answered(since, &answer);
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
    pub(crate) fn answered(&self) -> &Arc<AnsweredCalls> {
        &self.answered
    }

    /// Passes on what the feed brought.
    pub(crate) async fn feed(&self, fed: FeedMessage<S>) {
        // A writer that is gone is being shut down; what it would have shown is in the store.
        let _ = self.feed.send(fed).await;
    }
}
