//! What nodes tell each other.

#[cfg(test)]
mod tests;
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use ripcord_proto::digest::Digest;
use ripcord_proto::frame::Overlay;
use ripcord_proto::{EnvironmentKey, Kill, KillId};

use self::wire::{WireLog, WireSync};
use crate::commit::state::EnvironmentState;
use crate::store::Head;

/// What one node tells another, and is answered.
///
/// A node of an older version leaves out what it does not know. That counts as unknown: such a node vouches for nothing.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(from = "WireSync", into = "WireSync")]
pub struct PeerSync {
    /// The node that speaks.
    pub node: String,
    /// The digest of the first entry of its system log: nodes with different ones do not share their logs. Absent while it has none.
    pub history: Option<Digest>,
    /// Whether it says that it reaches its store, and has all that is in it.
    pub store_current: bool,
    /// Whether it says that this was so at any time since it started.
    pub anchored: bool,
    /// Where its system log ends, if it says so.
    pub system: Option<Head>,
    /// Ids of keys that it knows to be revoked, and that the other node may not know of.
    pub revoked: Vec<String>,
    pub environments: Vec<PeerLog>,
}

/// What a node knows of an environment.
#[derive(Debug, Clone)]
pub struct PeerLog {
    pub environment: EnvironmentKey,
    /// Where its log ends, if it says so.
    pub head: Option<Head>,
    /// Its provisional kills, and those that ended lately.
    pub overlay: Overlay,
    /// The kills in force in its log, unless the other node's log ends in the same place.
    pub committed: Option<Vec<Kill>>,
    /// Those of the other node's kills that have ended in its log.
    pub ended: BTreeSet<KillId>,
}

impl PeerSync {
    /// What it says of an environment.
    pub fn log(&self, environment: &EnvironmentKey) -> Option<&PeerLog> {
        self.environments.iter().find(|log| log.environment == *environment)
    }

    /// Whether it shows that no kill has passed it by: it has met the store since it started, and says which logs it has and where each
    /// of them ends.
    pub fn vouches(&self) -> bool {
        self.anchored && self.history.is_some() && self.system.is_some() && self.environments.iter().all(|log| log.head.is_some())
    }
}

impl PeerLog {
    /// What a node with this state and overlay tells another, which said `theirs` before.
    pub fn of(environment: EnvironmentKey, state: &EnvironmentState, overlay: &Overlay, theirs: Option<&Self>) -> Self {
        let is_same = theirs.is_some_and(|theirs| theirs.head == Some(state.head));
        let committed = (!is_same).then(|| state.snapshot.kills.iter().filter_map(|entry| entry.value().ok()).cloned().collect());
        let held = theirs.into_iter().flat_map(|theirs| {
            let committed = theirs.committed.iter().flatten().map(|kill| &kill.id);
            theirs.overlay.kills.keys().chain(committed)
        });
        Self {
            environment,
            head: Some(state.head),
            overlay: overlay.clone(),
            committed,
            ended: held.filter(|id| state.ended_kills.contains(*id)).cloned().collect(),
        }
    }

    /// Whether the log contains the kill, or has contained it, as far as this says.
    pub fn has_logged(&self, id: &KillId) -> bool {
        use ripcord_proto::frame::KillEnd::{Merged, Restored};
        let committed = self.committed.iter().flatten().any(|kill| kill.id == *id);
        committed || self.ended.contains(id) || matches!(self.overlay.ended.get(id), Some(Merged | Restored))
    }
}

impl From<WireSync> for PeerSync {
    fn from(wire: WireSync) -> Self {
        let mut overlays: BTreeMap<EnvironmentKey, Overlay> = wire.overlays.into_iter().collect();
        let told = wire.environments.into_iter().map(|log| PeerLog {
            overlay: overlays.remove(&log.environment).unwrap_or_default(),
            environment: log.environment,
            head: log.head,
            committed: log.committed,
            ended: log.ended,
        });
        let mut environments: Vec<PeerLog> = told.collect();
        environments.extend(overlays.into_iter().map(|(environment, overlay)| PeerLog {
            environment,
            head: None,
            overlay,
            committed: None,
            ended: BTreeSet::new(),
        }));
        Self {
            node: wire.node,
            history: wire.history,
            store_current: wire.store_current,
            anchored: wire.anchored,
            system: wire.system,
            revoked: wire.revoked,
            environments,
        }
    }
}

impl From<PeerSync> for WireSync {
    fn from(message: PeerSync) -> Self {
        let mut overlays = Vec::new();
        let told = message.environments.into_iter().map(|log| {
            if log.overlay != Overlay::default() {
                overlays.push((log.environment.clone(), log.overlay));
            }
            WireLog {
                environment: log.environment,
                head: log.head,
                committed: log.committed,
                ended: log.ended,
            }
        });
        let environments = told.collect();
        Self {
            node: message.node,
            overlays,
            history: message.history,
            store_current: message.store_current,
            anchored: message.anchored,
            system: message.system,
            revoked: message.revoked,
            environments,
        }
    }
}
