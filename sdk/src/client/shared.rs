//! What the clients and the background thread share. Evaluations read [`HotState`] and nothing else; only the background thread writes
//! it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use super::changes::Recompile;
use super::listeners::Listeners;
use super::observer::Observer;
use super::options::Reporting;
use super::outcomes::{CounterRegistry, OutcomeCounters};
use super::protocol::{NewState, StateDiff};
use super::status::Status;
use super::status_channel::StatusChannel;
use crate::engine::{Compiled, SinceContact};

/// The state that is evaluated.
#[derive(Debug)]
pub(crate) struct CurrentState {
    pub(crate) compiled: Compiled,
    pub(crate) recording: Recording<Arc<OutcomeCounters>>,
}

/// What was loaded for an evaluation; `None` before there is any data.
pub(super) type Loaded = Option<CurrentState>;

/// How evaluations are recorded. One enum, so that an evaluation that is not recorded costs a single comparison.
#[derive(Debug, Clone)]
pub(crate) enum Recording<C> {
    Off,
    Counted(C),
    Observed { counters: Option<C>, observer: Observer },
}

impl Recording<()> {
    pub(super) fn new(reporting: Reporting, observer: Option<Observer>) -> Self {
        let counters = match reporting {
            Reporting::Off => None,
            Reporting::Every(_) => Some(()),
        };
        match (counters, observer) {
            (None, None) => Self::Off,
            (Some(()), None) => Self::Counted(()),
            (counters, Some(observer)) => Self::Observed { counters, observer },
        }
    }
}

impl<C> Recording<C> {
    pub(super) fn counters(&self) -> Option<&C> {
        match self {
            Self::Off => None,
            Self::Counted(counters) => Some(counters),
            Self::Observed { counters, .. } => counters.as_ref(),
        }
    }

    /// The same with these counters, if it counts.
    fn with_counters<D>(&self, counters: impl FnOnce() -> D) -> Recording<D> {
        match self {
            Self::Off => Recording::Off,
            Self::Counted(_) => Recording::Counted(counters()),
            Self::Observed { counters: own, observer } => Recording::Observed {
                counters: own.as_ref().map(|_| counters()),
                observer: observer.clone(),
            },
        }
    }
}

/// What evaluations read, on cache lines of its own.
#[repr(align(128))]
struct HotState {
    /// `None` before there is any data.
    current: ArcSwap<Loaded>,
    /// How often `current` was swapped.
    version: AtomicU64,
    /// Seconds since the last fresh heartbeat once a lease has expired, else 0. It is not part of the state, so that a lease expires in a
    /// pinned view, too.
    since_contact: AtomicU32,
}

/// Shared by the clients, the views and the background thread.
pub(crate) struct Shared {
    hot: HotState,
    recording: Recording<()>,
    counters: Arc<CounterRegistry>,
    status: Arc<StatusChannel>,
    listeners: Arc<Listeners>,
    ended: CancellationToken,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Shared {
    /// Without data.
    pub(crate) fn new(status: Status, recording: Recording<()>) -> Self {
        Self {
            hot: HotState {
                current: ArcSwap::from_pointee(None),
                version: AtomicU64::new(0),
                since_contact: AtomicU32::new(0),
            },
            recording,
            counters: Arc::default(),
            status: Arc::new(StatusChannel::new(status)),
            listeners: Arc::default(),
            ended: CancellationToken::new(),
        }
    }

    /// The current state, for one evaluation.
    #[inline]
    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<Loaded>> {
        self.hot.current.load()
    }

    /// How often the current state was swapped. A state loaded after reading this number is at least that new.
    #[inline]
    pub(crate) fn version(&self) -> u64 {
        self.hot.version.load(Ordering::Acquire)
    }

    /// The current state, to keep.
    pub(crate) fn pin(&self) -> Arc<Loaded> {
        self.hot.current.load_full()
    }

    /// Time since the last contact, as far as leases depend on it.
    #[inline]
    pub(crate) fn since_contact(&self) -> SinceContact {
        SinceContact::seconds(self.hot.since_contact.load(Ordering::Relaxed))
    }

    pub(crate) fn set_since_contact(&self, seconds: u32) {
        self.hot.since_contact.store(seconds, Ordering::Relaxed);
    }

    /// Compiles a state and makes it current. Called by one thread only.
    pub(crate) fn apply(&self, new: NewState) {
        let StateDiff { recompile, overlay, changes } = new.diff;
        let before = self.hot.current.load_full();
        let (mut compiled, recompile) = match ((*before).as_ref(), recompile) {
            (Some(before), Recompile::Only(touched)) => (before.compiled.update(&new.snapshot, &touched), Recompile::Only(touched)),
            (_, Recompile::Only(_) | Recompile::Everything) => (Compiled::new(&new.snapshot), Recompile::Everything),
        };
        if let Some(kills) = overlay {
            compiled = compiled.with_overlay(&kills);
        }
        log_issues(&compiled, &recompile);
        let in_use = (*before).as_ref().and_then(|before| before.recording.counters());
        let recording = self.recording.with_counters(|| self.counters.counters_for(&compiled, &recompile, in_use));
        self.hot.current.store(Arc::new(Some(CurrentState { compiled, recording })));
        self.hot.version.fetch_add(1, Ordering::Release);
        self.listeners.notify(changes);
    }

    pub(super) fn observer(&self) -> Option<&Observer> {
        match &self.recording {
            Recording::Off | Recording::Counted(()) => None,
            Recording::Observed { observer, .. } => Some(observer),
        }
    }

    pub(crate) fn counters(&self) -> &Arc<CounterRegistry> {
        &self.counters
    }

    pub(crate) fn listeners(&self) -> &Arc<Listeners> {
        &self.listeners
    }

    pub(crate) fn status(&self) -> &Arc<StatusChannel> {
        &self.status
    }

    /// The background thread has ended.
    pub(crate) fn end(&self) {
        self.listeners.end();
        self.ended.cancel();
    }

    /// Cancelled when the background thread has ended.
    pub(crate) fn ended(&self) -> &CancellationToken {
        &self.ended
    }
}

/// Names what this build could not compile: such a flag serves the caller's default.
fn log_issues(compiled: &Compiled, recompile: &Recompile) {
    match recompile {
        Recompile::Everything => {
            for issue in compiled.issues() {
                tracing::warn!(kind = issue.kind, key = issue.key, error = issue.message, "cannot be compiled");
            }
        }
        Recompile::Only(touched) => {
            for flag in touched.flags.iter().filter_map(|key| compiled.flag(key.as_str())) {
                if let Some(issue) = flag.issue() {
                    tracing::warn!(kind = "flag", key = %flag.key(), error = issue, "cannot be compiled");
                }
            }
        }
    }
}
