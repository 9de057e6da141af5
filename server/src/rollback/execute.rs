//! Commits a prepared rollback: one commit, whatever its size.

use std::collections::BTreeSet;
use std::sync::Arc;

use ripcord_proto::change::Change;
use ripcord_proto::check::CheckPhase;
use ripcord_proto::commit::Recorded;
use ripcord_proto::record::Record;
use ripcord_proto::rollback::{Rollback, RollbackId};
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, FlagKey};

use super::alternatives::Alternatives;
use super::error::RollbackError;
use super::plan_drift;
use super::prepare::PreparedRollback;
use super::spec::RollbackSpec;
use crate::check::Checks;
use crate::commit::{Applied, CommitError, Draft, GuardRefusal, IdempotentCall, Outcome, StateConflict, probes};
use crate::environment::Environments;

/// A rollback that was committed, or was before.
#[derive(Debug, Clone)]
pub struct CommittedRollback {
    /// Its record as it is now.
    pub rollback: Rollback,
    /// Whether the same call was answered before.
    pub replayed: bool,
}

/// The record that a rollback's commit made, as it goes into the answer.
pub fn answer_of(made: &Applied) -> Option<&Arc<Entry<Rollback>>> {
    made.changes
        .iter()
        .filter_map(Change::record)
        .find_map(|record| if let Record::Rollback(entry) = record { Some(entry) } else { None })
}

/// The rollback that an idempotent call made before, if it did.
pub fn replayed(environments: &Environments, environment: &EnvironmentKey, call: &IdempotentCall) -> Result<Option<CommittedRollback>, CommitError> {
    let Some(recorded) = environments.answered(environment, call)? else {
        return Ok(None);
    };
    done_before(environments, environment, &recorded).map(Some)
}

/// Commits what was prepared; the draft asks for it. Answers once the revision is served. Dropping the future does not undo it.
pub async fn commit(
    environments: &Environments,
    checks: &Checks,
    prepared: &PreparedRollback,
    spec: &RollbackSpec,
    draft: Draft,
) -> Result<CommittedRollback, RollbackError> {
    ask_probes(checks, prepared).await?;
    let submitted = environments.submit(draft.clone()).await;
    concluded(environments, &draft, prepared, spec, submitted).await
}

/// The result of what `draft` asked for, with the way out if it was refused.
pub(super) async fn concluded(
    environments: &Environments,
    draft: &Draft,
    prepared: &PreparedRollback,
    spec: &RollbackSpec,
    submitted: Result<Outcome, CommitError>,
) -> Result<CommittedRollback, RollbackError> {
    match submitted {
        Ok(Outcome::Replayed { recorded, .. }) => Ok(done_before(environments, &draft.environment, &recorded)?),
        Ok(outcome) => Ok(done(environments, &draft.environment, &outcome.applied()?)?),
        Err(CommitError::Conflict(StateConflict::PlanStale { now, moved })) => {
            let drift = match draft.plan {
                Some(expected) => plan_drift::describe(environments, &draft.environment, &draft.author, spec, expected).await,
                None => None,
            };
            let moved = drift.unwrap_or(moved);
            Err(RollbackError::PlanStale { now, moved })
        }
        Err(error @ CommitError::Guard(GuardRefusal::EmptyScope | GuardRefusal::NothingToRollBack { .. } | GuardRefusal::OnlyConflicts(_))) => {
            let alternatives = Alternatives::of(&prepared.state, &prepared.reversal.record.target.hash);
            Err(RollbackError::NothingToRollBack { error, alternatives })
        }
        Err(error) if error.is_store_away() => Err(RollbackError::store_away(error, &spec.scope, Some(&prepared.reversal.reach))),
        Err(error) => Err(error.into()),
    }
}

/// Asks the probes that may refuse it beforehand.
pub async fn ask_probes(checks: &Checks, prepared: &PreparedRollback) -> Result<(), RollbackError> {
    let (reversal, state) = (&prepared.reversal, &prepared.state);
    let decision = reversal.decide(&state.snapshot)?;
    let flags: BTreeSet<FlagKey> = decision.flags.into_iter().map(|step| step.key).collect();
    let probes = probes::of(&flags, &reversal.record.scope, [&state.snapshot, &reversal.target], &state.records);
    let outcomes = checks.run(&probes, CheckPhase::Before).await;
    let acknowledged = &reversal.record.acknowledged_checks;
    let failed: Vec<_> = outcomes
        .into_iter()
        .filter(|outcome| !outcome.passed && !acknowledged.contains(&outcome.name))
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(RollbackError::ChecksFailed(failed))
    }
}

/// The record as it stands, with what this node alone knows so soon after the commit.
fn done(environments: &Environments, environment: &EnvironmentKey, applied: &Applied) -> Result<CommittedRollback, CommitError> {
    let lost = || CommitError::Internal("The rollback was committed but cannot be read back.".to_owned());
    let written = answer_of(applied).and_then(|entry| entry.value().ok()).ok_or_else(lost)?;
    let state = environments.state(environment)?;
    let live = state.records.rollbacks.value(written.id.as_str());
    let mut rollback = live.unwrap_or(written).clone();
    if rollback.phases.committed.is_none() {
        let now = environments.clock().now();
        rollback.phases.committed = Some(now);
        let took = rollback.phases.decided.map(|decided| now.duration_since(decided).as_secs_f64() * 1_000.0);
        rollback.phases.commit_ms = rollback.phases.commit_ms.or(took);
    }
    Ok(CommittedRollback { rollback, replayed: false })
}

/// The record as it stands, or as the first answer to the same call had it.
fn done_before(environments: &Environments, environment: &EnvironmentKey, recorded: &Recorded) -> Result<CommittedRollback, CommitError> {
    #[derive(serde::Deserialize)]
    struct Named {
        id: RollbackId,
    }
    let unreadable = |error: serde_json::Error| CommitError::Internal(format!("The response could not be read back: {error}."));
    let Named { id } = serde_json::from_str(recorded.answer.get()).map_err(unreadable)?;
    let live = environments.state(environment)?.records.rollbacks.value(id.as_str()).cloned();
    let first = || serde_json::from_str(recorded.answer.get()).map_err(unreadable);
    Ok(CommittedRollback {
        rollback: live.map_or_else(first, Ok)?,
        replayed: true,
    })
}
