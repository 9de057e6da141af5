//! A wrapper around a store that fails on command, for tests of what must keep working without the store.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ripcord_proto::commit::Sealed;
use ripcord_proto::{Position, Sequence};
use tokio::sync::{mpsc, watch};

use super::state::StoredState;
use super::{Append, AppendError, Contents, FeedEvent, Loaded, LogName, Settled, Store, StoreError, StoreHealth, StoreState};

/// How the store treats an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It works.
    None,
    /// It reports that it is unavailable.
    Away,
    /// It is being re-seeded.
    Reseeding,
    /// It never answers.
    Silent,
    /// It writes, and reports an unknown outcome.
    UnknownWritten,
    /// It does not write, and reports an unknown outcome.
    UnknownLost,
    /// It writes, but logs cannot be loaded.
    Unloadable,
    /// It writes, but no earlier state can be read back.
    NoEarlierStates,
}

/// The wrapper.
#[derive(Debug)]
pub(crate) struct FaultyStore<S> {
    inner: S,
    fault: Mutex<Fault>,
    health: watch::Sender<StoreHealth>,
}

impl<S: Store> FaultyStore<S> {
    pub(crate) fn new(inner: S) -> Arc<Self> {
        let health = watch::Sender::new(inner.health().borrow().clone());
        Arc::new(Self {
            inner,
            fault: Mutex::new(Fault::None),
            health,
        })
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.set_unnoticed(fault);
        let state = match fault {
            Fault::None | Fault::Unloadable | Fault::NoEarlierStates => StoreState::Available,
            Fault::Away | Fault::Reseeding | Fault::Silent | Fault::UnknownWritten | Fault::UnknownLost => StoreState::Unreachable,
        };
        self.health.send_modify(|health| health.state = state);
    }

    /// The same, but the store still counts as available: only who writes finds out.
    pub(crate) fn set_unnoticed(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }
}

impl<S: Store> Store for FaultyStore<S> {
    fn load<'a>(&'a self, log: &'a LogName) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        if *self.fault.lock().unwrap() == Fault::Unloadable {
            return std::future::ready(Err(StoreError::Unavailable("it cannot be read".to_owned()))).boxed();
        }
        self.inner.load(log)
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), AppendError>> {
        let fault = *self.fault.lock().unwrap();
        async move {
            match fault {
                Fault::None | Fault::Unloadable | Fault::NoEarlierStates => self.inner.append(append).await,
                Fault::Away => Err(AppendError::Unavailable("it is away".to_owned())),
                Fault::Reseeding => Err(AppendError::Reseeding),
                Fault::Silent => std::future::pending().await,
                Fault::UnknownWritten => {
                    self.inner.append(append).await?;
                    Err(AppendError::Unknown("no answer".to_owned()))
                }
                Fault::UnknownLost => Err(AppendError::Unknown("no answer".to_owned())),
            }
        }
        .boxed()
    }

    fn read<'a>(&'a self, log: &'a LogName, after: Sequence, limit: usize) -> BoxFuture<'a, Result<Vec<Sealed>, StoreError>> {
        self.inner.read(log, after, limit)
    }

    fn state_before<'a>(&'a self, log: &'a LogName, at: Position) -> BoxFuture<'a, Result<Option<StoredState>, StoreError>> {
        if *self.fault.lock().unwrap() == Fault::NoEarlierStates {
            return std::future::ready(Err(StoreError::Unavailable("no earlier state can be read".to_owned()))).boxed();
        }
        self.inner.state_before(log, at)
    }

    fn keep_state<'a>(&'a self, log: &'a LogName, state: StoredState) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.keep_state(log, state)
    }

    fn settle<'a>(&'a self, append: &'a Append) -> BoxFuture<'a, Result<Settled, StoreError>> {
        self.inner.settle(append)
    }

    fn logs(&self) -> BoxFuture<'_, Result<Vec<LogName>, StoreError>> {
        self.inner.logs()
    }

    fn install(&self, contents: Vec<Contents>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.install(contents)
    }

    fn drop_log<'a>(&'a self, log: &'a LogName) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.drop_log(log)
    }

    fn health(&self) -> watch::Receiver<StoreHealth> {
        self.health.subscribe()
    }

    fn feed(&self) -> Option<mpsc::Receiver<FeedEvent>> {
        self.inner.feed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.close()
    }
}
