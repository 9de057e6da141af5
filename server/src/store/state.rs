//! The stored form of an environment's state: a snapshot, its place in the log, which kills have ended, and the records.
//!
//! A state is a function of the log: [`StoredState::apply`] is that function, one entry at a time. States are stored from time to
//! time ([`policy`]) so that a start or a read of history replays a bounded number of entries.

mod encoding;
pub mod policy;
mod snapshot_points;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ripcord_proto::change::Change;
use ripcord_proto::commit::Sealed;
use ripcord_proto::record::Records;
use ripcord_proto::table::{Entity, Entry, Table};
use ripcord_proto::{EnvironmentKey, KillId, Snapshot};

pub(crate) use self::snapshot_points::{along, keep_along};
use super::Head;

/// An environment's state as it is stored, seeded and backed up.
#[derive(Debug, Clone)]
pub struct StoredState {
    pub head: Head,
    pub snapshot: Snapshot,
    /// Ids of kills that were restored or withdrawn: they never enter the log again.
    pub ended_kills: BTreeSet<KillId>,
    /// Checkpoints, releases, rollouts and everything else beside flags, segments and kills.
    pub records: Records,
}

impl StoredState {
    /// The state of an environment before its first entry.
    pub fn empty(environment: EnvironmentKey) -> Self {
        Self {
            head: Head::START,
            snapshot: Snapshot::empty(environment),
            ended_kills: BTreeSet::new(),
            records: Records::default(),
        }
    }

    /// The state after `entry`, which must be the one that follows.
    pub fn apply(&mut self, entry: &Sealed) {
        self.head = self.head.after(entry);
        self.snapshot.position = self.head.position();
        let (mut flags, mut segments, mut kills) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for change in &entry.commit.changes {
            match change {
                Change::PutFlag(flag) => _ = flags.insert(flag.key(), Some(flag)),
                Change::DeleteFlag(key) => _ = flags.insert(key, None),
                Change::PutSegment(segment) => _ = segments.insert(segment.key(), Some(segment)),
                Change::DeleteSegment(key) => _ = segments.insert(key, None),
                Change::PutKill(kill) => _ = kills.insert(kill.key(), Some(kill)),
                Change::Restore(id) => {
                    kills.insert(id, None);
                    self.ended_kills.insert(id.clone());
                }
                Change::PutSettings(settings) => self.snapshot.settings.clone_from(settings),
                Change::PutRecord(record) => self.records.put(record),
                Change::DeleteRecord(key) => self.records.remove(key),
                Change::Ping(_) | Change::NewEpoch(_) | Change::PutEnvironment(_) | Change::DeleteEnvironment(_) | Change::PutKey(_) | Change::RevokeKey(_) => {
                }
            }
        }
        put(&mut self.snapshot.flags, flags);
        put(&mut self.snapshot.segments, segments);
        put(&mut self.snapshot.kills, kills);
    }
}

/// Applies the last change that one commit made to each key.
fn put<M: Entity>(table: &mut Table<M>, outcomes: BTreeMap<&M::Key, Option<&Arc<Entry<M>>>>) {
    let changed: Table<M> = outcomes.values().flatten().map(|entry| Arc::clone(entry)).collect();
    if !changed.is_empty() {
        table.merge(&changed);
    }
    for (key, outcome) in outcomes {
        if outcome.is_none() {
            table.remove(key.borrow());
        }
    }
}
