//! What a release changed since its baseline, and who else changed the same flags.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ripcord_proto::record::RecordKey;
use ripcord_proto::rest::log::ChangedBy;
use ripcord_proto::rollback::RollbackScope;
use ripcord_proto::{EnvironmentKey, FlagKey, ReleaseName, SegmentKey, Sequence};

use crate::audit::{self, ChangeHistory, HistoryEntry};
use crate::commit::reversal::{Authorship, TouchedFlag};
use crate::commit::{CommitError, MissingItem};
use crate::environment::Environments;
use crate::store::{LogName, StoreError};

/// What a release changed since its baseline.
#[derive(Debug, Clone, Default)]
pub struct ReleaseChanges {
    /// Flags that it put or deleted.
    pub flags: BTreeMap<FlagKey, ItemChanges>,
    /// Segments that it put or deleted.
    pub segments: BTreeMap<SegmentKey, ItemChanges>,
    /// Its own commits that put or deleted any of them, oldest first.
    pub own: Vec<Arc<ChangedBy>>,
}

/// What a release did to one flag or segment.
#[derive(Debug, Clone)]
pub struct ItemChanges {
    /// What it left last, and whether others had changed it in between.
    pub left: TouchedFlag,
    /// The commits of others since the baseline, before its last one and after, oldest first.
    pub foreign: Vec<Arc<ChangedBy>>,
}

/// Why the changes of a release are not known.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseChangesError {
    /// The environment or release does not exist.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What `release` changed since its baseline. To the release belong the commits that carry its name, and the rollbacks that took
/// it back or brought it forward again.
pub async fn touched(environments: &Environments, environment: &EnvironmentKey, release: &ReleaseName) -> Result<ReleaseChanges, ReleaseChangesError> {
    let state = environments.state(environment)?;
    let record = state.records.releases.value(release.as_str());
    let record = record.ok_or_else(|| CommitError::NotFound(MissingItem::release(release, &state.records.releases)))?;
    let baseline = state.records.checkpoints.value(record.baseline.as_str());
    let baseline = baseline.ok_or_else(|| CommitError::NotFound(MissingItem::Record(RecordKey::Checkpoint(record.baseline.clone()))))?;
    let log = LogName::Environment(environment.clone());
    let history = audit::change_history(&**environments.store(), &log, baseline.sequence).await?;
    Ok(of_history(&history, release))
}

pub(super) fn of_history(history: &ChangeHistory, release: &ReleaseName) -> ReleaseChanges {
    let rollbacks = rollbacks_of(history, release);
    let is_own = |by: &ChangedBy| by.release.as_ref() == Some(release) || rollbacks.contains(&by.sequence);
    let all = history.flags.values().chain(history.segments.values()).flatten();
    let own: BTreeMap<Sequence, _> = all
        .filter(|change| is_own(&change.by))
        .map(|change| (change.by.sequence, Arc::clone(&change.by)))
        .collect();
    ReleaseChanges {
        flags: of_things(&history.flags, is_own),
        segments: of_things(&history.segments, is_own),
        own: own.into_values().collect(),
    }
}

/// The commits of rollbacks of the release, and of those that undid one of them.
fn rollbacks_of(history: &ChangeHistory, release: &ReleaseName) -> BTreeSet<Sequence> {
    let mut own = BTreeSet::new();
    let mut sequences = BTreeSet::new();
    for (sequence, (id, scope)) in &history.rollbacks {
        let is_own = match scope {
            RollbackScope::Release(name) => name == release,
            RollbackScope::Rollback(undone) => own.contains(undone.as_str()),
            RollbackScope::Environment | RollbackScope::Flags(_) | RollbackScope::Tags(_) | RollbackScope::Rollout(_) => false,
        };
        if is_own {
            let id: &str = id.borrow();
            own.insert(id);
            sequences.insert(*sequence);
        }
    }
    sequences
}

fn of_things<K: Ord + Clone>(things: &BTreeMap<K, Vec<HistoryEntry>>, is_own: impl Fn(&ChangedBy) -> bool) -> BTreeMap<K, ItemChanges> {
    let touch = |(key, changes): (&K, &Vec<HistoryEntry>)| {
        let last = changes.iter().rposition(|change| is_own(&change.by))?;
        let before = changes.get(..last).unwrap_or_default();
        let mixed = if before.iter().all(|change| is_own(&change.by)) {
            Authorship::Own
        } else {
            Authorship::Others
        };
        let left = TouchedFlag {
            digest: changes.get(last)?.left,
            mixed,
        };
        let foreign = changes.iter().filter(|change| !is_own(&change.by)).map(|change| Arc::clone(&change.by));
        Some((
            key.clone(),
            ItemChanges {
                left,
                foreign: foreign.collect(),
            },
        ))
    };
    things.iter().filter_map(touch).collect()
}
