//! From a specification to what the commit path decides on: the target's state read back, what the scope reaches, the record begun.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ripcord_proto::rest::log::ChangedBy;
use ripcord_proto::rollback::{PhaseTimes, Rollback, RollbackId, RollbackScope, RollbackTarget, Stages};
use ripcord_proto::{EnvironmentKey, FlagKey, Sequence, TargetName};

use super::error::PrepareError;
use super::scope::{self, ScopeReach};
use super::spec::RollbackSpec;
use crate::checkpoint;
use crate::clock::new_id;
use crate::commit::reversal::Reversal;
use crate::commit::state::EnvironmentState;
use crate::commit::{Author, CommitError, MissingItem};
use crate::environment::Environments;

/// A rollback that is ready to be planned, or committed.
#[derive(Debug, Clone)]
pub struct PreparedRollback {
    /// What the commit path decides on.
    pub reversal: Reversal,
    /// The environment as it was when this was prepared.
    pub state: Arc<EnvironmentState>,
    /// The last entry of the log at the target: what came after it is newer.
    pub(super) since: Sequence,
    /// For flags in which others had a hand: the last commit of theirs.
    pub(super) foreign: BTreeMap<FlagKey, Arc<ChangedBy>>,
}

/// Prepares a rollback. Changes nothing; a dropped future leaves nothing behind.
pub async fn prepare(
    environments: &Environments,
    environment: &EnvironmentKey,
    author: &Author,
    spec: &RollbackSpec,
) -> Result<PreparedRollback, PrepareError> {
    let decided = environments.clock().now();
    let state = environments.state(environment)?;
    let named = named(&state, spec)?;
    let resolved = checkpoint::resolve(environments, environment, &named).await?;
    let ScopeReach { reach, foreign, segments } = scope::reached(environments, environment, &state, &resolved, &spec.scope).await?;
    let mut record = record(&state, resolved.target.clone(), author, spec, decided);
    record.options.with_segments |= !segments.is_empty();
    record.segments = segments;
    let reversal = Reversal {
        reach,
        segment: spec.segment.clone(),
        target: Arc::new(resolved.state.snapshot.clone()),
        cap: spec.steps.first().copied(),
        record,
    };
    Ok(PreparedRollback {
        reversal,
        state,
        since: resolved.state.head.sequence,
        foreign,
    })
}

/// Prepares once more the rollback that `record` begins, under the same id and to the same state, on the environment as it is now.
pub async fn prepare_again(
    environments: &Environments,
    environment: &EnvironmentKey,
    author: &Author,
    record: &Rollback,
) -> Result<PreparedRollback, PrepareError> {
    let mut prepared = prepare(environments, environment, author, &RollbackSpec::again(record)).await?;
    let begun = &mut prepared.reversal.record;
    begun.id = record.id.clone();
    begun.message.clone_from(&record.message);
    begun.target.checkpoint.clone_from(&record.target.checkpoint);
    Ok(prepared)
}

/// The name of the target, if the scope decides it.
fn named(state: &EnvironmentState, spec: &RollbackSpec) -> Result<TargetName, CommitError> {
    match (&spec.to, &spec.scope) {
        (Some(named), _) => Ok(named.clone()),
        (None, RollbackScope::Release(name)) => {
            let release = state.records.releases.value(name.as_str());
            let missing = || CommitError::NotFound(MissingItem::release(name, &state.records.releases));
            Ok(TargetName::Checkpoint(release.ok_or_else(missing)?.baseline.clone()))
        }
        (None, RollbackScope::Rollback(id)) => Ok(TargetName::Position(scope::record(state, id)?.before)),
        (None, RollbackScope::Rollout(id)) => Ok(TargetName::Position(
            scope::rollout(state, id)?
                .before
                .as_ref()
                .map_or(state.head.position(), RollbackTarget::position),
        )),
        (None, RollbackScope::Environment | RollbackScope::Flags(_) | RollbackScope::Tags(_)) => Ok(TargetName::LastKnownGood),
    }
}

/// The record as it is after the first commit, but for what that commit decides.
fn record(state: &EnvironmentState, target: RollbackTarget, author: &Author, spec: &RollbackSpec, decided: Timestamp) -> Rollback {
    let every = SignedDuration::from_secs(i64::try_from(spec.every_seconds).unwrap_or(i64::MAX));
    let id = new_id(decided, RollbackId::from_parts);
    let stages = (!spec.steps.is_empty()).then(|| Stages {
        steps: spec.steps.clone(),
        every_seconds: spec.every_seconds,
        done: 1,
        next_at: Some(decided.checked_add(every).unwrap_or(Timestamp::MAX)),
        whole: BTreeSet::new(),
    });
    let (before, review) = (state.head.position(), state.records.policy().review_within_seconds());
    let begun = Rollback::begun(id, spec.scope.clone(), target, before, author.actor.clone(), decided, review);
    Rollback {
        segment: spec.segment.clone(),
        reason: spec.reason.clone(),
        acknowledged: spec.acknowledged.clone(),
        acknowledged_checks: spec.acknowledged_checks.clone(),
        options: spec.options,
        ladder: stages,
        phases: PhaseTimes {
            detected: spec.detected,
            ..begun.phases
        },
        ..begun
    }
}
