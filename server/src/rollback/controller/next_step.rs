//! The next step of a staged rollback: what it commits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::rollback::{PhaseTimes, Rollback, RollbackState, Stages};
use ripcord_proto::{EnvironmentKey, FlagKey, Snapshot};

use super::deps::RollbackDeps;
use crate::commit::reversal::{Authorship, Reversal, ReversalScope, TouchedFlag};
use crate::rollback::{messages, stages};
use crate::store::StoreError;

/// The next step.
pub(super) enum NextStep {
    /// Commit this.
    Commit(Box<Reversal>),
    /// There is none.
    Impossible(&'static str),
}

/// What the next step commits. Flags that others have changed since the last step are left as they are from then on, and so is
/// what a kill keeps (`left_out`); nothing is ever raised. `target` keeps the state to roll back to for the steps after it.
pub(super) async fn step(
    deps: &RollbackDeps,
    environment: &EnvironmentKey,
    rollback: &Rollback,
    left_out: &BTreeSet<FlagKey>,
    target: &mut Option<Arc<Snapshot>>,
) -> Result<NextStep, StoreError> {
    if target.is_none() {
        let found = deps.environments.recall(environment, rollback.target.position()).await?;
        *target = found.map(|state| Arc::new(state.snapshot.clone()));
    }
    let (Some(target), Some(last)) = (target, deps.environments.recall(environment, rollback.position()).await?) else {
        return Ok(NextStep::Impossible("the log no longer holds the state to roll back to"));
    };
    let Some((cap, mut record)) = next(rollback, deps.clock().now(), environment) else {
        return Ok(NextStep::Impossible("it has no step left"));
    };
    let now = deps.environments.board().served(environment.as_str());
    let digest = |snapshot: &Snapshot, key: &FlagKey| snapshot.flags.get(key.as_str()).map(|entry| *entry.digest());
    let mut reach = BTreeMap::new();
    for key in rollback.flags.iter().filter(|key| !left_out.contains(*key) && !rollback.skipped.contains(*key)) {
        let left = digest(&last.snapshot, key);
        if now.as_ref().is_some_and(|now| digest(&now.snapshot, key) != left) {
            record.skipped.insert(key.clone());
        } else {
            let mixed = Authorship::Own;
            reach.insert(key.clone(), TouchedFlag { digest: left, mixed });
        }
    }
    record.skipped.extend(left_out.iter().cloned());
    Ok(NextStep::Commit(Box::new(Reversal {
        reach: ReversalScope::Touched(reach),
        segment: rollback.segment.clone(),
        target: Arc::clone(target),
        cap,
        record,
    })))
}

/// How far down the next step goes, and the record as it is after it, but for its revision.
fn next(rollback: &Rollback, now: Timestamp, environment: &EnvironmentKey) -> Option<(Option<f64>, Rollback)> {
    let stages = rollback.ladder.as_ref()?;
    let cap = stages.steps.get(stages::done(stages)).copied();
    if cap.is_none() && stages::remaining(rollback) == 0 {
        return None;
    }
    let mut after = rollback.clone();
    after.ladder = Some(Stages {
        done: stages.done + 1,
        next_at: cap.is_some().then(|| now.checked_add(Duration::from_secs(stages.every_seconds)).unwrap_or(now)),
        ..stages.clone()
    });
    after.state = RollbackState::Committed;
    after.confirmation = None;
    after.phases = PhaseTimes {
        detected: rollback.phases.detected,
        decided: rollback.phases.decided,
        commit_ms: rollback.phases.commit_ms,
        ..PhaseTimes::default()
    };
    after.message = messages::state(&after, environment);
    Some((cap, after))
}

/// The record if the next step is impossible.
pub(super) fn cannot_step(rollback: &Rollback, why: &str, environment: &EnvironmentKey) -> Rollback {
    let mut next = rollback.clone();
    next.state = RollbackState::Failed;
    if let Some(stages) = &mut next.ladder {
        stages.next_at = None;
    }
    next.message = messages::stuck(&next, why, environment);
    next
}
