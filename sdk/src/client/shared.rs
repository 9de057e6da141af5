//! What the handles and the background thread share. Evaluations read [`Hot`] and nothing else; only the background thread
//! writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::changes::Step;
use super::listeners::Listeners;
use super::outcomes::{Book, Ledger};
use super::protocol::{Apply, Difference};
use super::status::Status;
use crate::engine::{Compiled, Unheard};

/// A state in force.
#[derive(Debug)]
pub(crate) struct InForce {
    pub(crate) compiled: Compiled,
    /// Where evaluations are counted; `None` = they are not.
    pub(crate) ledger: Option<Arc<Ledger>>,
}

/// What evaluations read, on cache lines that nothing else is written on.
#[repr(align(128))]
struct Hot {
    /// `None` before any data.
    in_force: ArcSwap<Option<InForce>>,
    /// How often `in_force` has been swapped.
    swaps: AtomicU64,
    /// Seconds without a fresh heartbeat once they exhaust a lease, else 0. Beside the state and not in it, so that a lease runs
    /// out in a pinned view too.
    unheard: AtomicU32,
}

/// Whether evaluations are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// In the book.
    Yes,
    /// Not at all.
    No,
}

/// Shared by the handles, the views and the background thread.
pub(crate) struct Shared {
    hot: Hot,
    counted: Counted,
    book: Book,
    status: watch::Sender<Status>,
    listeners: Arc<Listeners>,
    ended: CancellationToken,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("status", &*self.status.borrow()).finish_non_exhaustive()
    }
}

impl Shared {
    /// Before any data.
    pub(crate) fn new(status: Status, counted: Counted) -> Self {
        Self {
            hot: Hot {
                in_force: ArcSwap::from_pointee(None),
                swaps: AtomicU64::new(0),
                unheard: AtomicU32::new(0),
            },
            counted,
            book: Book::default(),
            status: watch::Sender::new(status),
            listeners: Arc::default(),
            ended: CancellationToken::new(),
        }
    }

    /// The state in force, for one evaluation.
    #[inline]
    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<Option<InForce>>> {
        self.hot.in_force.load()
    }

    /// How often the state in force has been swapped: a state that was loaded after this number was is at least that new.
    #[inline]
    pub(crate) fn swaps(&self) -> u64 {
        self.hot.swaps.load(Ordering::Acquire)
    }

    /// The state in force, to hold on to.
    pub(crate) fn pin(&self) -> Arc<Option<InForce>> {
        self.hot.in_force.load_full()
    }

    /// How long the server has been unheard, as far as that matters.
    #[inline]
    pub(crate) fn unheard(&self) -> Unheard {
        Unheard::seconds(self.hot.unheard.load(Ordering::Relaxed))
    }

    /// Tells evaluations how long the server has been unheard.
    pub(crate) fn set_unheard(&self, seconds: u32) {
        self.hot.unheard.store(seconds, Ordering::Relaxed);
    }

    /// Compiles a state and swaps it in: from here on every evaluation answers from it. Called by one thread only.
    pub(crate) fn apply(&self, apply: Apply) {
        let Difference { step, overlay, changes } = apply.difference;
        let before = self.hot.in_force.load_full();
        let (mut compiled, step) = match ((*before).as_ref(), step) {
            (Some(before), Step::From(touched)) => (before.compiled.update(&apply.snapshot, &touched), Step::From(touched)),
            (_, Step::From(_) | Step::Anew) => (Compiled::new(&apply.snapshot), Step::Anew),
        };
        if let Some(kills) = overlay {
            compiled = compiled.with_overlay(&kills);
        }
        let in_use = (*before).as_ref().and_then(|before| before.ledger.as_ref());
        let ledger = (self.counted == Counted::Yes).then(|| self.book.ledger(&compiled, &step, in_use));
        self.hot.in_force.store(Arc::new(Some(InForce { compiled, ledger })));
        self.hot.swaps.fetch_add(1, Ordering::Release);
        self.listeners.tell(changes);
    }

    /// Where outcomes are counted.
    pub(crate) fn book(&self) -> &Book {
        &self.book
    }

    /// The change listeners.
    pub(crate) fn listeners(&self) -> &Arc<Listeners> {
        &self.listeners
    }

    /// The status now.
    pub(crate) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// The status from now on.
    pub(crate) fn watch(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Changes the status. Those who watch are woken unless all that changed is when the server was heard.
    pub(crate) fn set_status(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_if_modified(|status| {
            let mut before = status.clone();
            change(status);
            before.last_heard = status.last_heard;
            before.last_fresh = status.last_fresh;
            before != *status
        });
    }

    /// A batch of outcomes has been taken.
    pub(crate) fn outcomes_sent(&self) {
        self.set_status(|status| status.outcomes.batches += 1);
    }

    /// Counts will not reach the server.
    pub(crate) fn outcomes_dropped(&self, counts: u64) {
        self.set_status(|status| status.outcomes.dropped += counts);
    }

    /// The background thread is done.
    pub(crate) fn end(&self) {
        self.listeners.end();
        self.ended.cancel();
    }

    /// Cancelled when the background thread is done.
    pub(crate) fn ended(&self) -> &CancellationToken {
        &self.ended
    }
}
