//! Earlier states that are still in memory. A rollback goes by the state before it, the state after each of its commits, and its target;
//! to read one from the log is to replay what was committed since a state was stored.
//!
//! Kept are the states at positions that records name: those of the newest rollback and of all that are not over, of the newest known-good
//! checkpoint, of the baselines of open releases, and of live rollouts. A state is kept when the log moves on from it: what nothing named
//! until then, and what another process left, is read from the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ripcord_proto::Position;
use ripcord_proto::change::Change;
use ripcord_proto::checkpoint::Checkpoint;
use ripcord_proto::record::{Record, RecordKey, Records};
use ripcord_proto::release::ReleaseState;

/// States that are kept at once, at most. Each shares with the others whatever did not change between them.
const MOST: usize = 16;

/// The states of an environment's log that may be needed soon.
#[derive(Debug, Clone)]
pub(crate) struct EarlierStates<S> {
    /// The positions that records name.
    named: BTreeSet<Position>,
    kept: BTreeMap<Position, Arc<S>>,
}

impl<S> EarlierStates<S> {
    /// Nothing is kept yet; `records` name what will be.
    pub(super) fn named_by(records: &Records) -> Self {
        Self {
            named: named(records),
            kept: BTreeMap::new(),
        }
    }

    /// The state at `position`, if it is kept.
    pub(super) fn get(&self, position: Position) -> Option<&Arc<S>> {
        self.kept.get(&position)
    }

    /// Whether the state at `position` is to be kept when the log moves on from it.
    pub(super) fn names(&self, position: Position) -> bool {
        self.named.contains(&position)
    }

    /// Keeps the state at `position`.
    pub(super) fn keep(&mut self, position: Position, state: Arc<S>) {
        self.kept.insert(position, state);
    }

    /// Drops what `records` no longer name.
    pub(super) fn follow(&mut self, records: &Records) {
        self.named = named(records);
        self.kept.retain(|position, _| self.named.contains(position));
    }
}

impl<S> Default for EarlierStates<S> {
    fn default() -> Self {
        Self {
            named: BTreeSet::new(),
            kept: BTreeMap::new(),
        }
    }
}

/// Whether other positions may be named after these changes.
pub(super) fn rename(changes: &[Change]) -> bool {
    changes.iter().any(|change| {
        matches!(
            change,
            Change::PutRecord(Record::Rollback(_) | Record::Checkpoint(_) | Record::Release(_) | Record::Rollout(_))
                | Change::DeleteRecord(RecordKey::Rollback(_) | RecordKey::Checkpoint(_) | RecordKey::Release(_) | RecordKey::Rollout(_))
        )
    })
}

/// The positions that records name, the most urgent ones first if there are too many.
fn named(records: &Records) -> BTreeSet<Position> {
    let newest_first = records.rollbacks.values().rev().enumerate();
    let rollbacks = newest_first.filter(|(age, rollback)| *age == 0 || !rollback.state.is_final());
    let rollbacks = rollbacks.flat_map(|(_, rollback)| [rollback.before, rollback.position()]);
    let good = records.last_known_good().map(Checkpoint::position);
    let open = records.releases.values().filter(|release| release.state == ReleaseState::Open);
    let baselines = open.filter_map(|release| Some(records.checkpoints.value(release.baseline.as_str())?.position()));
    let live = records.rollouts.values().rev().filter(|rollout| !rollout.state.is_final());
    let rollouts = live.filter_map(|rollout| Some(rollout.before.as_ref()?.position()));
    let all = good.into_iter().chain(rollbacks).chain(baselines).chain(rollouts);
    let mut named = BTreeSet::new();
    for position in all {
        if named.len() == MOST {
            break;
        }
        named.insert(position);
    }
    named
}
