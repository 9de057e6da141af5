//! The state of an environment in the commit path: the snapshot, its place in the log, the kills that have ended, and the records.

use std::collections::BTreeSet;
use std::sync::Arc;

use ripcord_proto::change::Change;
use ripcord_proto::commit::Sealed;
use ripcord_proto::record::Records;
use ripcord_proto::snapshot::ContentHash;
use ripcord_proto::value::Value;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, KillId, Position, Snapshot, Tag};

use super::earlier::{self, EarlierStates};
use crate::store::state::StoredState;
use crate::store::{Head, Loaded};

/// The state of an environment's log. Copying it copies reference counts.
#[derive(Debug, Clone)]
pub struct EnvironmentState {
    /// Where the log ends.
    pub head: Head,
    /// What flags answer.
    pub snapshot: Snapshot,
    /// The snapshot's content hash.
    pub hash: ContentHash,
    /// Ids of kills that ended: they never enter the log again.
    pub ended_kills: Arc<BTreeSet<KillId>>,
    /// The newest urgent revision.
    pub urgent: Position,
    /// What is kept beside the flags.
    pub records: Arc<Records>,
    /// Earlier states that are still in memory.
    pub(crate) earlier: Arc<EarlierStates<Self>>,
}

impl EnvironmentState {
    /// An environment whose log is empty.
    pub fn empty(environment: EnvironmentKey) -> Self {
        let snapshot = Snapshot::empty(environment);
        let hash = snapshot.content_hash();
        Self {
            head: Head::START,
            snapshot,
            hash,
            ended_kills: Arc::default(),
            urgent: Position::START,
            records: Arc::default(),
            earlier: Arc::default(),
        }
    }

    /// What a store holds of `environment`: its stored state, and the entries since.
    pub fn restore(environment: EnvironmentKey, loaded: &Loaded) -> Self {
        let start = match &loaded.state {
            Some(stored) => Self {
                head: stored.head,
                hash: stored.snapshot.content_hash(),
                snapshot: stored.snapshot.clone(),
                ended_kills: Arc::new(stored.ended_kills.clone()),
                urgent: stored.head.position(),
                records: Arc::new(stored.records.clone()),
                earlier: Arc::new(EarlierStates::named_by(&stored.records)),
            },
            None => Self::empty(environment),
        };
        loaded.tail.iter().fold(start, |state, entry| state.followed_by(entry))
    }

    /// The state after one more entry of its log.
    pub(super) fn followed_by(&self, entry: &Sealed) -> Self {
        let mut next = self.clone();
        next.head = self.head.after(entry);
        next.change(&entry.commit.changes, next.head.position());
        if entry.commit.revision.is_some() {
            next.hash = next.snapshot.content_hash();
            if entry.commit.urgent {
                next.urgent = next.head.position();
            }
        }
        next.keep_earlier(self, &entry.commit.changes);
        next
    }

    /// The state at `position` if it is in memory: this one, or an earlier one that a record names. Its records are those that it had last.
    pub fn in_memory(self: &Arc<Self>, position: Position) -> Option<Arc<Self>> {
        if self.head.position() == position {
            return Some(Arc::clone(self));
        }
        self.earlier.get(position).cloned()
    }

    /// Keeps `before`, which `changes` have led on from to this state, if a record names its position; drops what none names any more.
    pub(super) fn keep_earlier(&mut self, before: &Self, changes: &[Change]) {
        if earlier::rename(changes) {
            Arc::make_mut(&mut self.earlier).follow(&self.records);
        }
        let left = before.head.position();
        if left != self.head.position() && self.earlier.names(left) {
            // Each state by itself: what it kept is kept by this one, or not at all.
            let before = Self {
                earlier: Arc::default(),
                ..before.clone()
            };
            Arc::make_mut(&mut self.earlier).keep(left, Arc::new(before));
        }
    }

    /// As a store keeps it.
    pub fn stored(&self) -> StoredState {
        StoredState {
            head: self.head,
            snapshot: self.snapshot.clone(),
            ended_kills: (*self.ended_kills).clone(),
            records: (*self.records).clone(),
        }
    }

    /// Applies changes; the head stays.
    pub(super) fn change(&mut self, changes: &[Change], position: Position) {
        for change in changes {
            match change {
                Change::PutFlag(entry) => drop(self.snapshot.flags.insert(Arc::clone(entry))),
                Change::DeleteFlag(key) => drop(self.snapshot.flags.remove(key.as_str())),
                Change::PutSegment(entry) => drop(self.snapshot.segments.insert(Arc::clone(entry))),
                Change::DeleteSegment(key) => drop(self.snapshot.segments.remove(key.as_str())),
                Change::PutKill(entry) => drop(self.snapshot.kills.insert(Arc::clone(entry))),
                Change::Restore(id) => {
                    self.snapshot.kills.remove(id.as_str());
                    Arc::make_mut(&mut self.ended_kills).insert(id.clone());
                }
                Change::PutSettings(settings) => self.snapshot.settings.clone_from(settings),
                Change::PutRecord(record) => Arc::make_mut(&mut self.records).put(record),
                Change::DeleteRecord(key) => Arc::make_mut(&mut self.records).remove(key),
                Change::Ping(_) | Change::NewEpoch(_) | Change::PutEnvironment(_) | Change::DeleteEnvironment(_) | Change::PutKey(_) | Change::RevokeKey(_) => {
                }
            }
        }
        self.snapshot.position = position;
    }
}

/// Whether any of the changes alters what flags answer. A kill that ended before it was ever in force here does not.
pub(super) fn makes_revision(changes: &[Change], state: &EnvironmentState) -> bool {
    changes.iter().any(|change| match change {
        Change::Restore(id) => state.snapshot.kills.get(id.as_str()).is_some(),
        Change::PutFlag(_)
        | Change::DeleteFlag(_)
        | Change::PutSegment(_)
        | Change::DeleteSegment(_)
        | Change::PutKill(_)
        | Change::PutSettings(_)
        | Change::Ping(_)
        | Change::NewEpoch(_) => true,
        Change::PutRecord(_)
        | Change::DeleteRecord(_)
        | Change::PutEnvironment(_)
        | Change::DeleteEnvironment(_)
        | Change::PutKey(_)
        | Change::RevokeKey(_) => false,
    })
}

/// What a flag serves while it is killed; `None` = the caller's own default.
pub(super) fn served(flag: &Flag) -> Option<&Value> {
    flag.safe.as_ref().and_then(|safe| flag.variants.get(safe.as_str()))
}

/// The flags that carry a tag.
pub(crate) fn flags_with_tag<'s>(snapshot: &'s Snapshot, tag: &'s Tag) -> impl Iterator<Item = FlagKey> + 's {
    let flags = snapshot.flags.iter();
    let tagged = flags.filter(|entry| entry.value().is_ok_and(|flag| flag.tags.contains(tag)));
    tagged.map(|entry| entry.key().clone())
}
