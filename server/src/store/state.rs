//! The stored form of an environment's state: a snapshot, where it stands in the log, which kills have ended, and the records.
//!
//! A state is a function of the log: [`StoredState::apply`] is that function, one entry at a time. States are kept now and then
//! ([`policy`]) so that a start and a look back replay a bounded number of entries.

mod along;
mod json;
pub mod policy;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ripcord_proto::change::Change;
use ripcord_proto::commit::Sealed;
use ripcord_proto::digest::Digest;
use ripcord_proto::record::Records;
use ripcord_proto::table::{Entry, Entity, Table};
use ripcord_proto::{EnvironmentKey, KillId, Snapshot};

pub(crate) use self::along::{along, keep_along};
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
    /// What is kept beside the flags.
    pub records: Records,
}

/// A stored state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The bytes are not the ones that were written.
    #[error("a stored state was altered: its digest is {stated}, its contents give {computed}")]
    Altered {
        /// As stored.
        stated: Digest,
        /// As computed.
        computed: Digest,
    },
    /// It is cut short.
    #[error("a stored state is cut short")]
    Short,
    /// It cannot be read or written as JSON.
    #[error("a stored state cannot be read: {0}")]
    Json(#[from] serde_json::Error),
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
                Change::PutSettings(settings) => self.snapshot.settings = *settings,
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

    /// The bytes to store: the digest of the JSON, then the JSON.
    pub fn encode(&self) -> Result<Vec<u8>, StateError> {
        let json = self.to_json()?;
        let digest = Digest::of([json.as_bytes()]);
        let mut bytes = Vec::with_capacity(32 + json.len());
        bytes.extend_from_slice(digest.bytes());
        bytes.extend_from_slice(json.as_bytes());
        Ok(bytes)
    }

    /// The state of stored bytes, proven against their digest.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        let (stated, json) = bytes.split_first_chunk::<32>().ok_or(StateError::Short)?;
        let (stated, computed) = (Digest::from_bytes(*stated), Digest::of([json]));
        if stated != computed {
            return Err(StateError::Altered { stated, computed });
        }
        Ok(json::parse(json)?)
    }

    /// The state as JSON, each entry with the position of its last change.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        json::write(self)
    }

    /// The state of such JSON.
    pub fn from_json(json: &str) -> Result<Self, serde_json::Error> {
        json::parse(json.as_bytes())
    }
}

/// Puts and takes out what one commit left of each key.
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
