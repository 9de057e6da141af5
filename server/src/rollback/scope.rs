//! What a scope reaches, and who else has changed it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ripcord_proto::record::RecordKey;
use ripcord_proto::rest::log::ChangedBy;
use ripcord_proto::rollback::{Rollback, RollbackId, RollbackScope};
use ripcord_proto::rollout::Rollout;
use ripcord_proto::{EnvironmentKey, FlagKey, RolloutId, SegmentKey, Sequence};

use super::error::PrepareError;
use crate::audit::{self, ChangeHistory};
use crate::checkpoint::ResolvedTarget;
use crate::commit::reversal::{Authorship, ReversalScope, TouchedFlag};
use crate::commit::state::EnvironmentState;
use crate::commit::{CommitError, MissingItem};
use crate::environment::Environments;
use crate::release;
use crate::store::LogName;

/// What a scope reaches.
pub(super) struct ScopeReach {
    pub(super) reach: ReversalScope,
    /// For flags that others have changed: their last commit.
    pub(super) foreign: BTreeMap<FlagKey, Arc<ChangedBy>>,
    /// Segments that an earlier rollback put back and that have not changed since: undoing it includes them.
    pub(super) segments: BTreeSet<SegmentKey>,
}

impl From<ReversalScope> for ScopeReach {
    fn from(reach: ReversalScope) -> Self {
        Self {
            reach,
            foreign: BTreeMap::new(),
            segments: BTreeSet::new(),
        }
    }
}

/// What `scope` reaches in an environment that is at `now`.
pub(super) async fn reached(
    environments: &Environments,
    environment: &EnvironmentKey,
    now: &EnvironmentState,
    target: &ResolvedTarget,
    scope: &RollbackScope,
) -> Result<ScopeReach, PrepareError> {
    match scope {
        RollbackScope::Environment => Ok(ReversalScope::Environment.into()),
        RollbackScope::Tags(tags) => Ok(ReversalScope::Tags(tags.clone()).into()),
        RollbackScope::Flags(flags) => {
            let known = |key: &&FlagKey| now.snapshot.flags.get(key.as_str()).is_some() || target.state.snapshot.flags.get(key.as_str()).is_some();
            match flags.iter().find(|key| !known(key)) {
                Some(unknown) => Err(CommitError::NotFound(MissingItem::flag(unknown, &now.snapshot.flags)).into()),
                None => Ok(ReversalScope::Flags(flags.clone()).into()),
            }
        }
        RollbackScope::Rollout(id) => Ok(ReversalScope::Flags(BTreeSet::from([rollout(now, id)?.plan.flag.clone()])).into()),
        RollbackScope::Release(name) => {
            let touched = release::touched(environments, environment, name).await?;
            let foreign = touched
                .flags
                .iter()
                .filter_map(|(key, touch)| Some((key.clone(), Arc::clone(touch.foreign.last()?))));
            let foreign = foreign.collect();
            let left = touched.flags.into_iter().map(|(key, touch)| (key, touch.left)).collect();
            Ok(ScopeReach {
                reach: ReversalScope::Touched(left),
                foreign,
                segments: BTreeSet::new(),
            })
        }
        RollbackScope::Rollback(id) => {
            let rollback = record(now, id)?;
            let before = environments.recall(environment, rollback.before).await?;
            let since = before.map_or(Sequence(0), |before| before.head.sequence);
            let log = LogName::Environment(environment.clone());
            let history = audit::change_history(&**environments.store(), &log, since).await?;
            Ok(of_rollback(&history, rollback))
        }
    }
}

/// The record of an earlier rollback.
pub(super) fn record<'a>(now: &'a EnvironmentState, id: &RollbackId) -> Result<&'a Rollback, CommitError> {
    let found = now.records.rollbacks.value(id.as_str());
    found.ok_or_else(|| CommitError::NotFound(MissingItem::Record(RecordKey::Rollback(id.clone()))))
}

/// The record of a rollout.
pub(super) fn rollout<'a>(now: &'a EnvironmentState, id: &RolloutId) -> Result<&'a Rollout, CommitError> {
    let found = now.records.rollouts.value(id.as_str());
    found.ok_or_else(|| CommitError::NotFound(MissingItem::Record(RecordKey::Rollout(id.clone()))))
}

/// What a rollback left, step by step.
fn of_rollback(history: &ChangeHistory, rollback: &Rollback) -> ScopeReach {
    let is_own = |by: &ChangedBy| history.rollbacks.get(&by.sequence).is_some_and(|(id, _)| *id == rollback.id);
    let mut left = BTreeMap::new();
    let mut foreign = BTreeMap::new();
    for (key, changes) in history.flags.iter().filter(|(key, _)| rollback.flags.contains(*key)) {
        let Some(last) = changes.iter().rposition(|change| is_own(&change.by)) else {
            continue;
        };
        let (before, after) = changes.split_at(last);
        let mixed = if before.iter().skip_while(|change| !is_own(&change.by)).all(|change| is_own(&change.by)) {
            Authorship::Own
        } else {
            Authorship::Others
        };
        let digest = after.first().and_then(|change| change.left);
        left.insert(key.clone(), TouchedFlag { digest, mixed });
        if let Some(change) = changes.iter().rev().find(|change| !is_own(&change.by)) {
            foreign.insert(key.clone(), Arc::clone(&change.by));
        }
    }
    let untouched = |key: &&SegmentKey| {
        let last = history.segments.get(*key).and_then(|changes| changes.last());
        last.is_some_and(|change| is_own(&change.by))
    };
    ScopeReach {
        reach: ReversalScope::Touched(left),
        foreign,
        segments: rollback.segments.iter().filter(untouched).cloned().collect(),
    }
}
