//! The configuration tag of each environment, for change events and conditional requests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ripcord_proto::digest::Digest;
use ripcord_proto::{EnvironmentKey, Position};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::remote::ChangeMemo;
use crate::snapshot::board::Listener;
use crate::snapshot::publication::{Publication, Served};

/// Identifies a configuration: the position and a digest of provisional kills. `1:57`, or `1:57.4f1c09a2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VersionTag(String);

impl VersionTag {
    pub(super) fn of(served: &Served) -> Self {
        let position = served.snapshot.position;
        if served.overlay.kills.is_empty() {
            return Self(position.to_string());
        }
        let ids = served.overlay.kills.keys().map(|id| id.as_str().as_bytes());
        let kills = Digest::of(ids.flat_map(|id| [id, &[0]])).to_string();
        Self(format!("{position}.{}", kills.get(..8).unwrap_or_default()))
    }

    /// The position in a tag.
    pub(super) fn position(text: &str) -> Option<Position> {
        text.trim_matches('"').split('.').next()?.parse().ok()
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The configuration of one environment.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) tag: VersionTag,
    pub(super) position: Position,
    pub(super) served: Arc<Served>,
    /// How it differs from earlier ones.
    pub(super) changes: Arc<ChangeMemo>,
    /// Since when it is served, in seconds since 1970.
    pub(super) modified: i64,
}

/// The configurations of all environments, updated by the board right after each swap: a client that is notified of a change can fetch it.
#[derive(Debug)]
pub(super) struct Versions {
    clock: Arc<dyn Clock>,
    senders: Mutex<BTreeMap<EnvironmentKey, watch::Sender<Version>>>,
}

impl Versions {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            senders: Mutex::default(),
        }
    }

    fn put(&self, environment: &EnvironmentKey, served: &Arc<Served>) {
        let mut senders = self.senders.lock();
        let known = senders.get(environment.as_str());
        let head = Version {
            tag: VersionTag::of(served),
            position: served.snapshot.position,
            served: Arc::clone(served),
            changes: known.map(|sender| Arc::clone(&sender.borrow().changes)).unwrap_or_default(),
            modified: self.clock.now().as_second(),
        };
        match known {
            Some(sender) => drop(sender.send_replace(head)),
            None => drop(senders.insert(environment.clone(), watch::Sender::new(head))),
        }
    }

    /// Watches an environment, as long as it exists.
    pub(super) fn watch(&self, environment: &str) -> Option<watch::Receiver<Version>> {
        let senders = self.senders.lock();
        senders.get(environment).map(watch::Sender::subscribe)
    }

    /// Waits until the environment is at `position` or later, at most for `patience`.
    pub(super) async fn reach(&self, environment: &EnvironmentKey, position: Position, patience: Duration) {
        let Some(mut head) = self.watch(environment.as_str()) else {
            return;
        };
        // After the timeout, the client is answered with what is there.
        let _ = tokio::time::timeout(patience, head.wait_for(|head| head.position >= position)).await;
    }
}

impl Listener for Versions {
    fn published(&self, environment: &EnvironmentKey, publication: &Publication) {
        self.put(environment, &publication.served);
    }

    fn removed(&self, environment: &EnvironmentKey) {
        self.senders.lock().remove(environment.as_str());
    }
}
