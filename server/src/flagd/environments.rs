//! What each environment serves, as watch channels for streams.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use ripcord_proto::EnvironmentKey;
use tokio::sync::watch;

use super::export::Rendered;
use crate::snapshot::board::Listener;
use crate::snapshot::publication::{Publication, Served};

/// All environments.
#[derive(Debug, Default)]
pub(super) struct WatchedEnvironments(Mutex<BTreeMap<EnvironmentKey, Arc<WatchedEnvironment>>>);

/// One environment. Its streams end when the sender is dropped.
#[derive(Debug)]
pub(super) struct WatchedEnvironment {
    sender: watch::Sender<Arc<Served>>,
    pub(super) rendered: Rendered,
}

impl WatchedEnvironments {
    fn put(&self, environment: &EnvironmentKey, served: Arc<Served>) {
        let mut states = self.0.lock();
        if let Some(state) = states.get(environment.as_str()) {
            state.sender.send_replace(served);
        } else {
            let state = WatchedEnvironment {
                sender: watch::Sender::new(served),
                rendered: Rendered::default(),
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

    /// What is served now and from now on.
    pub(super) fn follow(&self) -> watch::Receiver<Arc<Served>> {
        self.sender.subscribe()
    }
}

impl Listener for WatchedEnvironments {
    fn published(&self, environment: &EnvironmentKey, publication: &Publication) {
        self.put(environment, Arc::clone(&publication.served));
    }

    fn removed(&self, environment: &EnvironmentKey) {
        self.0.lock().remove(environment.as_str());
    }
}
