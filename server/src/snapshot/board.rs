//! The board: one `ArcSwap` for each environment, and the only place where one is swapped.
//!
//! Readers never wait. A room that must hear of every swap (streams, confirmations, OFREP, flagd) registers a [`Listener`], which is
//! called on the thread that swaps, right after the swap, in the order of revisions. The caller of a commit is answered only after
//! that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use ripcord_proto::EnvironmentKey;

use super::publication::{Publication, PublishedChange, Served};

/// Called on every swap. Must return at once: it runs on the commit path.
pub trait Listener: Send + Sync {
    /// `environment` was swapped.
    fn published(&self, environment: &EnvironmentKey, publication: &Publication);
    /// `environment` was deleted; its readers must be disconnected.
    fn removed(&self, environment: &EnvironmentKey);
}

/// All environments that this node serves.
#[derive(Default)]
pub struct Board {
    environments: ArcSwap<BTreeMap<EnvironmentKey, Arc<ArcSwap<Served>>>>,
    listeners: ArcSwap<Vec<Arc<dyn Listener>>>,
    /// Serialises writers; readers never touch it.
    swapping: Mutex<()>,
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Board")
            .field("environments", &self.environments.load().keys())
            .finish_non_exhaustive()
    }
}

impl Board {
    /// The current state of `environment`.
    pub fn served(&self, environment: &str) -> Option<Arc<Served>> {
        self.environments.load().get(environment).map(|slot| slot.load_full())
    }

    /// The slot of `environment`, for readers that load it often, in a few nanoseconds.
    pub fn slot(&self, environment: &str) -> Option<Arc<ArcSwap<Served>>> {
        self.environments.load().get(environment).cloned()
    }

    /// The names of all environments.
    pub fn environments(&self) -> Vec<EnvironmentKey> {
        self.environments.load().keys().cloned().collect()
    }

    /// Registers a listener: it first gets what is served now, as [`PublishedChange::Replaced`], then every swap. No swap falls
    /// between the two.
    pub fn listen(&self, listener: Arc<dyn Listener>) {
        let _swapping = self.swapping.lock();
        for (environment, slot) in &**self.environments.load() {
            let current = Publication {
                served: slot.load_full(),
                change: PublishedChange::Replaced,
                at: Instant::now(),
            };
            listener.published(environment, &current);
        }
        let mut listeners = self.listeners.load().to_vec();
        listeners.push(listener);
        self.listeners.store(Arc::new(listeners));
    }

    /// Swaps, then calls the listeners.
    pub fn publish(&self, publication: &Publication) {
        let environment = &publication.served.snapshot.environment;
        let _swapping = self.swapping.lock();
        if let Some(slot) = self.environments.load().get(environment.as_str()) {
            slot.store(Arc::clone(&publication.served));
        } else {
            let mut environments = BTreeMap::clone(&self.environments.load());
            environments.insert(environment.clone(), Arc::new(ArcSwap::from(Arc::clone(&publication.served))));
            self.environments.store(Arc::new(environments));
        }
        for listener in self.listeners.load().iter() {
            listener.published(environment, publication);
        }
    }

    /// Removes an environment.
    pub fn remove(&self, environment: &EnvironmentKey) {
        let _swapping = self.swapping.lock();
        let mut environments = BTreeMap::clone(&self.environments.load());
        if environments.remove(environment.as_str()).is_some() {
            self.environments.store(Arc::new(environments));
            for listener in self.listeners.load().iter() {
                listener.removed(environment);
            }
        }
    }
}

#[cfg(test)]
mod tests;
