//! Commits a prepared rollback: one commit, whatever its size.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use ripcord_proto::change::Change;
use ripcord_proto::check::CheckPhase;
use ripcord_proto::record::Record;
use ripcord_proto::rollback::{Rollback, RollbackId};
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, FlagKey};

use super::error::RollbackError;
use super::plan_drift;
use super::prepare::PreparedRollback;
use super::spec::RollbackSpec;
use crate::check::Checks;
use crate::commit::{Applied, CommitError, Committed, Draft, IdempotentCall, probes};
use crate::environment::Environments;

/// A rollback that was committed, or was before.
#[derive(Debug, Clone)]
pub struct CommittedRollback {
    /// Its record as it is now.
    pub rollback: Rollback,
    /// What the commit path answered.
    pub committed: Committed,
}

/// The record that a rollback's commit made, as it goes into the answer.
pub fn answer_of(made: &Applied) -> Option<&Arc<Entry<Rollback>>> {
    made.changes
        .iter()
        .filter_map(Change::record)
        .find_map(|record| if let Record::Rollback(entry) = record { Some(entry) } else { None })
}

/// The rollback that an idempotent call made before, where it did.
pub fn replayed(environments: &Environments, environment: &EnvironmentKey, call: &IdempotentCall) -> Result<Option<CommittedRollback>, CommitError> {
    let Some(answer) = environments.answered(environment, call)? else {
        return Ok(None);
    };
    let committed = Committed {
        position: environments.state(environment)?.head.position(),
        commit: None,
        answer,
        replayed: true,
        at: Instant::now(),
    };
    done(environments, environment, committed).map(Some)
}

/// Commits what was prepared; the draft asks for it. Answers when everybody is served by it. A dropped future takes nothing back.
pub async fn commit(
    environments: &Environments,
    checks: &Checks,
    prepared: &PreparedRollback,
    order: &RollbackSpec,
    draft: Draft,
) -> Result<CommittedRollback, RollbackError> {
    ask_probes(checks, prepared).await?;
    let submitted = environments.submit(draft.clone()).await;
    concluded(environments, &draft, prepared, order, submitted).await
}

/// What became of what `draft` asked for, with the way out where it was refused.
pub(super) async fn concluded(
    environments: &Environments,
    draft: &Draft,
    prepared: &PreparedRollback,
    order: &RollbackSpec,
    submitted: Result<Committed, CommitError>,
) -> Result<CommittedRollback, RollbackError> {
    match submitted {
        Ok(committed) => Ok(done(environments, &draft.environment, committed)?),
        Err(CommitError::PlanStale { now, moved }) => {
            let told = match draft.plan {
                Some(expected) => plan_drift::told(environments, &draft.environment, &draft.author, order, expected).await,
                None => None,
            };
            let moved = told.unwrap_or(moved);
            Err(RollbackError::PlanStale { now, moved })
        }
        Err(error) if error.is_store_away() => Err(RollbackError::store_away(error, &order.scope, Some(&prepared.reversal.reach))),
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
    let failed: Vec<_> = outcomes.into_iter().filter(|outcome| !outcome.passed).collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(RollbackError::ChecksFailed(failed))
    }
}

/// The record as it stands, with what this node alone knows so soon after the commit.
fn done(environments: &Environments, environment: &EnvironmentKey, committed: Committed) -> Result<CommittedRollback, CommitError> {
    #[derive(serde::Deserialize)]
    struct Named {
        id: RollbackId,
    }
    let internal = |why: String| CommitError::Internal(format!("The answer could not be read back: {why}."));
    let Named { id } = serde_json::from_str(committed.answer.body.get()).map_err(|error| internal(error.to_string()))?;
    let state = environments.state(environment)?;
    let live = state.records.rollbacks.value(id.as_str()).cloned();
    let recorded = || serde_json::from_str(committed.answer.body.get()).map_err(|error| internal(error.to_string()));
    let mut rollback: Rollback = live.map_or_else(recorded, Ok)?;
    if rollback.phases.committed.is_none() && !committed.replayed {
        let now = environments.clock().now();
        rollback.phases.committed = Some(now);
        let took = rollback.phases.decided.map(|decided| now.duration_since(decided).as_secs_f64() * 1_000.0);
        rollback.phases.commit_ms = rollback.phases.commit_ms.or(took);
    }
    Ok(CommittedRollback { rollback, committed })
}
