//! What nodes tell each other.

use std::collections::BTreeSet;

use ripcord_proto::digest::Digest;
use ripcord_proto::frame::Overlay;
use ripcord_proto::{EnvironmentKey, Kill, KillId};

use crate::commit::state::EnvironmentState;
use crate::store::Head;

/// What one node tells another, and is answered.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct PeerSync {
    /// The node that speaks.
    pub node: String,
    /// The digest of the first entry of its system log: nodes with different ones do not share their logs. Absent while it has none.
    pub history: Option<Digest>,
    /// Whether it reaches its store, and has all that is in it.
    pub store_current: bool,
    /// Whether that was so at any time since it started.
    pub anchored: bool,
    /// Where its system log ends.
    pub system: Head,
    pub environments: Vec<PeerLog>,
}

/// What a node knows of an environment.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct PeerLog {
    pub environment: EnvironmentKey,
    /// Where its log ends.
    pub head: Head,
    /// Its provisional kills, and those that ended lately.
    pub overlay: Overlay,
    /// The kills in force in its log, unless the other node's log ends in the same place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<Vec<Kill>>,
    /// Those of the other node's kills that have ended in its log.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ended: BTreeSet<KillId>,
}

impl PeerSync {
    /// What it says of an environment.
    pub fn log(&self, environment: &EnvironmentKey) -> Option<&PeerLog> {
        self.environments.iter().find(|log| log.environment == *environment)
    }
}

impl PeerLog {
    /// What a node with this state and overlay tells another, which said `theirs` before.
    pub fn of(environment: EnvironmentKey, state: &EnvironmentState, overlay: &Overlay, theirs: Option<&Self>) -> Self {
        let is_same = theirs.is_some_and(|theirs| theirs.head == state.head);
        let committed = (!is_same).then(|| state.snapshot.kills.iter().filter_map(|entry| entry.value().ok()).cloned().collect());
        let held = theirs.into_iter().flat_map(|theirs| {
            let committed = theirs.committed.iter().flatten().map(|kill| &kill.id);
            theirs.overlay.kills.keys().chain(committed)
        });
        Self {
            environment,
            head: state.head,
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
