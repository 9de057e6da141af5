//! What each environment serves, as watch channels for streams.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use ripcord_proto::EnvironmentKey;
use tokio::sync::watch;

use super::export::Rendered;
use crate::remote::ChangeMemo;
use crate::snapshot::board::Listener;
use crate::snapshot::publication::{Publication, PublishedChange, Served};

/// Deleted flags that are remembered, for clients that missed their deletion.
const DELETED: usize = 1_000;

/// All environments.
#[derive(Debug, Default)]
pub(super) struct WatchedEnvironments(Mutex<BTreeMap<EnvironmentKey, Arc<WatchedEnvironment>>>);

/// One environment. Its streams end when the sender is dropped.
#[derive(Debug)]
pub(super) struct WatchedEnvironment {
    sender: watch::Sender<Arc<Served>>,
    /// The flags that were deleted lately, oldest first.
    deleted: Mutex<VecDeque<String>>,
    pub(super) rendered: Rendered,
    pub(super) changes: ChangeMemo,
}

impl WatchedEnvironments {
    fn put(&self, environment: &EnvironmentKey, publication: &Publication) {
        let served = Arc::clone(&publication.served);
        let mut states = self.0.lock();
        if let Some(state) = states.get(environment.as_str()) {
            state.remember_deleted(publication);
            state.sender.send_replace(served);
        } else {
            let state = WatchedEnvironment {
                sender: watch::Sender::new(served),
                deleted: Mutex::default(),
                rendered: Rendered::default(),
                changes: ChangeMemo::default(),
            };
            states.insert(environment.clone(), Arc::new(state));
        }
    }

    /// The environment, if it exists.
    pub(super) fn get(&self, environment: &EnvironmentKey) -> Option<Arc<WatchedEnvironment>> {
        self.0.lock().get(environment.as_str()).cloned()
    }
}

impl WatchedEnvironment {
    /// What is served now.
    pub(super) fn served(&self) -> Arc<Served> {
        Arc::clone(&self.sender.borrow())
    }

    fn remember_deleted(&self, publication: &Publication) {
        let now = &publication.served.snapshot.flags;
        let mut deleted = self.deleted.lock();
        deleted.retain(|key| now.get(key.as_str()).is_none());
        match &publication.change {
            PublishedChange::Overlay => {}
            PublishedChange::Delta(delta) => deleted.extend(delta.removed.flags.iter().map(ToString::to_string)),
            PublishedChange::Replaced => {
                let before = self.served();
                let keys = before.snapshot.flags.iter().map(|entry| entry.key());
                deleted.extend(keys.filter(|key| now.get(key.as_str()).is_none()).map(ToString::to_string));
            }
        }
        let excess = deleted.len().saturating_sub(DELETED);
        deleted.drain(..excess);
    }

    /// The flags that were deleted lately.
    pub(super) fn deleted(&self) -> Vec<String> {
        self.deleted.lock().iter().cloned().collect()
    }

    /// What is served now and from now on.
    pub(super) fn follow(&self) -> watch::Receiver<Arc<Served>> {
        self.sender.subscribe()
    }
}

impl Listener for WatchedEnvironments {
    fn published(&self, environment: &EnvironmentKey, publication: &Publication) {
        self.put(environment, publication);
    }

    fn removed(&self, environment: &EnvironmentKey) {
        self.0.lock().remove(environment.as_str());
    }
}
