//! Deltas: the changes from one snapshot to a later one.

use crate::flag::Flag;
use crate::key::{FlagKey, SegmentKey};
use crate::kill::{Kill, KillId};
use crate::revision::{Position, Revision};
use crate::segment::Segment;
use crate::settings::Settings;
use crate::snapshot::{ContentHash, Snapshot};
use crate::table::{Entity, Table};

/// How soon a revision must reach its readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Delivered in order with other changes.
    Ordinary,
    /// Kills, restores and rollbacks: delivered ahead of queued changes, which they replace.
    Urgent,
}

/// The changes from one revision to a later one of the same epoch. One delta may span many revisions.
#[derive(Debug, Clone)]
pub struct Delta {
    /// The revision that it must be applied to.
    pub from: Revision,
    /// The position after the delta.
    pub to: Position,
    /// The content hash after the delta.
    pub hash: ContentHash,
    /// Whether it contains a kill, a restore or a rollback.
    pub urgency: Urgency,
    /// New and changed entries, each complete.
    pub changed: Changed,
    /// The keys of removed entries.
    pub removed: Removed,
}

/// The entries that a delta puts.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    /// The flags that were created or changed.
    pub flags: Table<Flag>,
    /// The segments that were created or changed.
    pub segments: Table<Segment>,
    /// The kills that were added or changed.
    pub kills: Table<Kill>,
    /// The settings, if they changed.
    pub settings: Option<Settings>,
}

/// The keys that a delta removes.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Removed {
    /// The keys of deleted flags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<FlagKey>,
    /// The keys of deleted segments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentKey>,
    /// The ids of lifted kills.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kills: Vec<KillId>,
}

/// Why a delta could not be applied. In each case the reader requests a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The delta does not start at the snapshot's position.
    #[error("a delta from {from} to {to} does not start at {at}")]
    Gap {
        /// The position of the snapshot.
        at: Position,
        /// The start of the delta.
        from: Revision,
        /// The position after the delta.
        to: Position,
    },
    /// The result differs from the sender's state.
    #[error("after the delta to {at} the content hash is {own}, the server's is {theirs}")]
    Hash {
        /// The position after the delta.
        at: Position,
        /// The content hash computed from the result.
        own: ContentHash,
        /// The content hash that the server sent.
        theirs: ContentHash,
    },
}

impl Snapshot {
    /// Applies `delta` and verifies the content hash. Entries are shared, not copied.
    pub fn apply(&self, delta: &Delta) -> Result<Self, ApplyError> {
        if delta.to.epoch != self.position.epoch || delta.from != self.position.revision || delta.to < self.position {
            return Err(ApplyError::Gap {
                at: self.position,
                from: delta.from,
                to: delta.to,
            });
        }
        let next = self.with(delta);
        let own = next.content_hash();
        if own != delta.hash && !next.has_hash(&delta.hash) {
            return Err(ApplyError::Hash {
                at: delta.to,
                own,
                theirs: delta.hash,
            });
        }
        Ok(next)
    }

    /// Applies `delta` without verifying the hash, for the server, which computes it.
    #[must_use]
    pub fn with(&self, delta: &Delta) -> Self {
        let mut next = self.clone();
        next.position = delta.to;
        put(&mut next.flags, &delta.changed.flags, &delta.removed.flags);
        put(&mut next.segments, &delta.changed.segments, &delta.removed.segments);
        put(&mut next.kills, &delta.changed.kills, &delta.removed.kills);
        if let Some(settings) = &delta.changed.settings {
            next.settings.clone_from(settings);
        }
        next
    }
}

fn put<M: Entity>(table: &mut Table<M>, changed: &Table<M>, removed: &[M::Key]) {
    table.merge(changed);
    for key in removed {
        table.remove(std::borrow::Borrow::borrow(key));
    }
}

impl Delta {
    /// Combines this delta with `next`, which must start where this one ends.
    #[must_use]
    pub fn then(mut self, next: &Self) -> Self {
        self.to = next.to;
        self.hash = next.hash;
        self.urgency = self.urgency.max(next.urgency);
        join(&mut self.changed.flags, &mut self.removed.flags, &next.changed.flags, &next.removed.flags);
        join(
            &mut self.changed.segments,
            &mut self.removed.segments,
            &next.changed.segments,
            &next.removed.segments,
        );
        join(&mut self.changed.kills, &mut self.removed.kills, &next.changed.kills, &next.removed.kills);
        self.changed.settings = next.changed.settings.clone().or(self.changed.settings);
        self
    }

    /// The difference between two snapshots; `hash` is the content hash of the second one. What both share is not read.
    pub fn between(from: &Snapshot, to: &Snapshot, hash: ContentHash, urgency: Urgency) -> Self {
        let (mut changed, mut removed) = (Changed::default(), Removed::default());
        (changed.flags, removed.flags) = from.flags.difference(&to.flags);
        (changed.segments, removed.segments) = from.segments.difference(&to.segments);
        (changed.kills, removed.kills) = from.kills.difference(&to.kills);
        changed.settings = (from.settings != to.settings).then(|| to.settings.clone());
        Self {
            from: from.position.revision,
            to: to.position,
            hash,
            urgency,
            changed,
            removed,
        }
    }
}

fn join<M: Entity>(changed: &mut Table<M>, removed: &mut Vec<M::Key>, next_changed: &Table<M>, next_removed: &[M::Key]) {
    changed.merge(next_changed);
    for key in next_removed {
        changed.remove(std::borrow::Borrow::borrow(key));
    }
    removed.retain(|key| next_changed.get(std::borrow::Borrow::borrow(key)).is_none());
    removed.extend(next_removed.iter().cloned());
    removed.sort();
    removed.dedup();
}
