//! The publisher: one for each environment, the only way onto the board.
//!
//! Two things change what an environment serves: commits, which the writer delivers in order, and provisional kills, which must
//! take effect while the writer may be stuck behind a store that does not answer. Both meet here, under one short lock.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use ripcord_proto::Kill;
use ripcord_proto::commit::Sealed;
use ripcord_proto::delta::{Delta, Urgency};
use ripcord_proto::frame::Overlay;
use ripcord_proto::references::TouchedKeys;
use ripcord_sdk::engine::Compiled;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::overlay;
use super::publication::{Publication, PublishedChange, Served};
use crate::commit::state::EnvironmentState;
use crate::commit::traits::Sink;
use crate::store::state::StoredState;
use crate::store::state::policy::StatePolicy;
use crate::store::{Head, LogName, Store};

/// Ended provisional kills that an overlay still lists, so that clients that were away learn of their end.
const ENDED_REMEMBERED: usize = 1_000;

/// When a state is stored.
const POLICY: StatePolicy = StatePolicy::DEFAULT;
/// Entries after which storing a state is tried again if it failed.
const RETRY: u64 = 64;

/// Entries that a re-seeded log no longer contains.
#[derive(Debug)]
pub(crate) struct Orphaned {
    pub(crate) log: LogName,
    pub(crate) entries: Vec<Sealed>,
}

/// Publishes the state of one environment.
#[derive(Debug)]
pub(crate) struct Publisher {
    board: Arc<Board>,
    inner: Mutex<Inner>,
    orphaned: mpsc::UnboundedSender<Orphaned>,
    keeper: mpsc::Sender<(LogName, StoredState)>,
}

#[derive(Debug)]
struct Inner {
    served: Arc<Served>,
    prepared: Option<PreparedSwap>,
    since_kept: SinceKept,
}

/// The publication of a commit, prepared while the store makes the commit durable.
#[derive(Debug)]
struct PreparedSwap {
    /// The state without the commit, and the head with it; the preparation is valid only for these.
    upon: Arc<Served>,
    head: Head,
    served: Arc<Served>,
    change: PublishedChange,
}

/// Size of the log since a state was last stored.
#[derive(Debug, Default)]
struct SinceKept {
    entries: u64,
    bytes: u64,
}

impl Publisher {
    /// Publishes `state`, with `overlay` on top, for the first time.
    pub(crate) fn start(
        board: Arc<Board>,
        state: &EnvironmentState,
        mut overlay: Overlay,
        orphaned: mpsc::UnboundedSender<Orphaned>,
        keeper: mpsc::Sender<(LogName, StoredState)>,
    ) -> Self {
        // The log may already contain kills that the journal of an earlier process still lists.
        overlay::settle(&mut overlay, state);
        let served = Arc::new(serve_from_scratch(state, Arc::new(overlay)));
        board.publish(&Publication {
            served: Arc::clone(&served),
            change: PublishedChange::Replaced,
            at: Instant::now(),
        });
        Self {
            board,
            inner: Mutex::new(Inner {
                served,
                prepared: None,
                since_kept: SinceKept::default(),
            }),
            orphaned,
            keeper,
        }
    }

    /// The current state.
    pub(crate) fn served(&self) -> Arc<Served> {
        Arc::clone(&self.lock().served)
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    /// Adds provisional kills to the overlay, or ends some of them. Returns whether anything changed.
    pub(crate) fn overlay(&self, alter: impl FnOnce(&mut Overlay)) -> bool {
        let mut inner = self.lock();
        let mut overlay = Overlay::clone(&inner.served.overlay);
        alter(&mut overlay);
        if overlay == *inner.served.overlay {
            return false;
        }
        self.swap_overlay(&mut inner, overlay);
        true
    }

    fn swap_overlay(&self, inner: &mut Inner, mut overlay: Overlay) {
        while overlay.ended.len() > ENDED_REMEMBERED {
            overlay.ended.pop_first();
        }
        let was = Arc::clone(&inner.served);
        let overlay = Arc::new(overlay);
        let kills: Vec<Kill> = overlay.kills.values().cloned().collect();
        let served = Arc::new(Served {
            snapshot: was.snapshot.clone(),
            hash: was.hash,
            compiled: was.compiled.with_overlay(&kills),
            overlay,
            urgent: was.urgent,
        });
        self.show(inner, served, PublishedChange::Overlay);
    }

    fn show(&self, inner: &mut Inner, served: Arc<Served>, change: PublishedChange) {
        inner.served = Arc::clone(&served);
        self.board.publish(&Publication {
            served,
            change,
            at: Instant::now(),
        });
    }

    /// Removes provisional kills that `state` has settled from the overlay.
    fn settle_overlay(&self, inner: &mut Inner, state: &EnvironmentState) {
        let mut overlay = Overlay::clone(&inner.served.overlay);
        if overlay::settle(&mut overlay, state) {
            self.swap_overlay(inner, overlay);
        }
    }

    /// Stores the state from time to time, so that a start does not replay the whole log.
    fn keep(&self, inner: &mut Inner, state: &EnvironmentState, entries: &[Sealed]) {
        let since = &mut inner.since_kept;
        since.entries += entries.len() as u64;
        since.bytes += entries.iter().map(|entry| entry.body.len() as u64).sum::<u64>();
        let snapshot = &state.snapshot;
        let weighs = snapshot.flags.bytes() + snapshot.segments.bytes() + snapshot.kills.bytes();
        if POLICY.is_due(since.entries, since.bytes, weighs as u64) {
            let log = LogName::Environment(state.snapshot.environment.clone());
            let sent = self.keeper.try_send((log, state.stored()));
            // If it fails, try again soon: the distance between two stored states bounds every read of history.
            let entries = if sent.is_ok() { 0 } else { POLICY.entries - RETRY };
            *since = SinceKept { entries, bytes: 0 };
            if sent.is_err() {
                tracing::debug!(env = %state.snapshot.environment, "not saving a state: the last one is still being written");
            }
        }
    }
}

/// Stores states, one after the other, off the commit path, until `stop`.
pub(crate) async fn keep_states(store: Arc<dyn Store>, mut states: mpsc::Receiver<(LogName, StoredState)>, stop: CancellationToken) {
    while let Some(Some((log, state))) = stop.run_until_cancelled(states.recv()).await {
        if let Err(error) = store.keep_state(&log, state).await {
            tracing::warn!(%log, %error, "cannot save a state; the next start will replay more of the log");
        }
    }
}

impl Sink<EnvironmentState> for Publisher {
    fn prepare(&self, before: &EnvironmentState, after: &EnvironmentState, entries: &[Sealed]) {
        if before.head.position() == after.head.position() {
            return;
        }
        let served = self.served();
        let prepared = prepare(&served, before, after, entries);
        self.lock().prepared = Some(prepared);
    }

    fn advance(&self, before: &EnvironmentState, after: &EnvironmentState, entries: &[Sealed]) {
        let mut inner = self.lock();
        self.keep(&mut inner, after, entries);
        if before.head.position() == after.head.position() {
            return self.settle_overlay(&mut inner, after);
        }
        let prepared = inner.prepared.take();
        // The overlay may have changed since, or the store may have refused the commit and another one came first.
        let prepared = prepared.filter(|prepared| prepared.head == after.head && Arc::ptr_eq(&prepared.upon, &inner.served));
        let PreparedSwap { served, change, .. } = prepared.unwrap_or_else(|| prepare(&inner.served, before, after, entries));
        self.show(&mut inner, served, change);
        self.settle_overlay(&mut inner, after);
    }

    fn replaced(&self, after: &EnvironmentState, orphaned: Vec<Sealed>) {
        let mut inner = self.lock();
        // In one swap: between the old log and the merge into the new one, no reader sees a kill lifted that only this node knows.
        let overlay = overlay::replaced(&inner.served.overlay, &inner.served.snapshot, after);
        let served = Arc::new(serve_from_scratch(after, Arc::new(overlay)));
        self.show(&mut inner, served, PublishedChange::Replaced);
        if !orphaned.is_empty() {
            let log = LogName::Environment(after.snapshot.environment.clone());
            // The receiver lives as long as the server.
            let _ = self.orphaned.send(Orphaned { log, entries: orphaned });
        }
    }
}

/// The publication of the commits from `before` to `after`, on top of the current state.
fn prepare(upon: &Arc<Served>, before: &EnvironmentState, after: &EnvironmentState, entries: &[Sealed]) -> PreparedSwap {
    let change = if before.head.epoch == after.head.epoch {
        let urgent = entries.iter().any(|entry| entry.commit.urgent);
        let urgency = if urgent { Urgency::Urgent } else { Urgency::Ordinary };
        PublishedChange::Delta(Arc::new(Delta::between(&before.snapshot, &after.snapshot, after.hash, urgency)))
    } else {
        PublishedChange::Replaced
    };
    let compiled = upon.compiled.update(&after.snapshot, &touched(entries));
    PreparedSwap {
        upon: Arc::clone(upon),
        head: after.head,
        served: Arc::new(serve(after, Arc::clone(&upon.overlay), compiled)),
        change,
    }
}

fn serve_from_scratch(state: &EnvironmentState, overlay: Arc<Overlay>) -> Served {
    let kills: Vec<Kill> = overlay.kills.values().cloned().collect();
    let compiled = Compiled::new(&state.snapshot).with_overlay(&kills);
    serve(state, overlay, compiled)
}

fn serve(state: &EnvironmentState, overlay: Arc<Overlay>, compiled: Compiled) -> Served {
    Served {
        snapshot: state.snapshot.clone(),
        hash: state.hash,
        overlay,
        compiled,
        urgent: state.urgent,
    }
}

/// The flags and segments that entries put or delete.
fn touched(entries: &[Sealed]) -> TouchedKeys {
    let mut touched = TouchedKeys::default();
    for change in entries.iter().flat_map(|entry| &entry.commit.changes) {
        touched.flags.extend(change.flag().cloned());
        touched.segments.extend(change.segment().cloned());
    }
    touched
}

#[cfg(test)]
mod tests;
