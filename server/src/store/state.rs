//! The stored form of an environment's state: a snapshot, where it stands in the log, and which kills have ended.

use std::collections::BTreeSet;

use ripcord_proto::{KillId, Snapshot};

use super::Head;

/// An environment's state as it is stored, seeded and backed up.
#[derive(Debug, Clone)]
pub struct StoredState {
    /// Where it stands.
    pub head: Head,
    /// What flags answer.
    pub snapshot: Snapshot,
    /// Ids of kills that were restored or withdrawn: they never enter the log again.
    pub ended_kills: BTreeSet<KillId>,
}
