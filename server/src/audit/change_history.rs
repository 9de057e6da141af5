//! The history of flags and segments: each change since an entry of the log, and who made it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ripcord_proto::change::Change;
use ripcord_proto::commit::{Commit, Sealed};
use ripcord_proto::digest::Digest;
use ripcord_proto::record::Record;
use ripcord_proto::rest::log::ChangedBy;
use ripcord_proto::rollback::{RollbackId, RollbackScope};
use ripcord_proto::{FlagKey, Position, SegmentKey, Sequence};

use super::read::PAGE;
use crate::store::{LogName, Store, StoreError};

/// What happened to flags and segments since an entry of the log, oldest first.
#[derive(Debug, Clone, Default)]
pub struct ChangeHistory {
    /// Flags that were put or deleted.
    pub flags: BTreeMap<FlagKey, Vec<HistoryEntry>>,
    /// Segments that were put or deleted.
    pub segments: BTreeMap<SegmentKey, Vec<HistoryEntry>>,
    /// The rollbacks among the commits, by the sequence of each of their commits that changed something.
    pub rollbacks: BTreeMap<Sequence, (RollbackId, RollbackScope)>,
}

/// One change of a flag or a segment.
#[derive(Debug, Clone)]
pub struct HistoryEntry {
    /// The commit that made it.
    pub by: Arc<ChangedBy>,
    /// The digest of the entry that it left; `None` if it deleted it.
    pub left: Option<Digest>,
}

/// All changes after the entry `after`.
pub async fn change_history(store: &dyn Store, log: &LogName, after: Sequence) -> Result<ChangeHistory, StoreError> {
    let mut history = ChangeHistory::default();
    let mut after = after;
    loop {
        let entries = store.read(log, after, PAGE).await?;
        let Some(last) = entries.last() else { return Ok(history) };
        after = last.commit.sequence;
        for entry in &entries {
            history.take(entry);
        }
    }
}

/// Who made a position, and why.
pub fn changed_by(commit: &Commit, position: Position) -> ChangedBy {
    ChangedBy {
        sequence: commit.sequence,
        epoch: position.epoch,
        revision: position.revision,
        at: commit.at,
        actor: commit.actor.clone(),
        reason: commit.reason.clone(),
        release: commit.release.clone(),
    }
}

impl ChangeHistory {
    fn take(&mut self, entry: &Sealed) {
        let commit = &entry.commit;
        // Flags and segments change in commits that make a revision, and in no others.
        let Some(position) = commit.position() else { return };
        let by = Arc::new(changed_by(commit, position));
        let entry = |left| HistoryEntry { by: Arc::clone(&by), left };
        for change in &commit.changes {
            match change {
                Change::PutFlag(flag) => self.flags.entry(flag.key().clone()).or_default().push(entry(Some(*flag.digest()))),
                Change::DeleteFlag(key) => self.flags.entry(key.clone()).or_default().push(entry(None)),
                Change::PutSegment(segment) => self.segments.entry(segment.key().clone()).or_default().push(entry(Some(*segment.digest()))),
                Change::DeleteSegment(key) => self.segments.entry(key.clone()).or_default().push(entry(None)),
                Change::PutRecord(Record::Rollback(record)) => {
                    let rollback = record.value().ok().map(|rollback| (rollback.id.clone(), rollback.scope.clone()));
                    self.rollbacks.extend(rollback.map(|rollback| (commit.sequence, rollback)));
                }
                Change::PutKill(_)
                | Change::Restore(_)
                | Change::PutSettings(_)
                | Change::PutRecord(_)
                | Change::DeleteRecord(_)
                | Change::Ping(_)
                | Change::NewEpoch(_)
                | Change::PutEnvironment(_)
                | Change::DeleteEnvironment(_)
                | Change::PutKey(_)
                | Change::RevokeKey(_) => {}
            }
        }
    }
}
