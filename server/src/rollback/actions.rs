//! What people do to a rollback that is under way: stop it, resume it, or finish it now. Each is a change of the record, from which
//! the leader takes it up.

use jiff::Timestamp;
use ripcord_proto::record::RecordKey;
use ripcord_proto::rollback::{Rollback, RollbackState};
use ripcord_proto::{EnvironmentKey, RollbackId};

use super::error::{ActionError, WrongRollbackState};
use super::{messages, stages};
use crate::commit::{CommitError, Draft, Expected, MissingItem, Operation, Outcome, StateConflict};
use crate::environment::Environments;

/// How a rollback continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResumePace {
    /// Step by step, the next one now.
    Steps,
    /// All that is left at once.
    Now,
}

/// How often an action is decided again because the record has just changed.
const ATTEMPTS: usize = 8;

/// Changes the record of a rollback by what `change` makes of it, repeated if it changes at the same time; `draft` says who asks
/// and how it is answered. A repeated call gets its first answer, whatever became of the rollback.
pub async fn amend(
    environments: &Environments,
    draft: &Draft,
    id: &RollbackId,
    change: impl Fn(&Rollback) -> Result<Rollback, WrongRollbackState>,
) -> Result<Outcome, ActionError> {
    let key = RecordKey::Rollback(id.clone());
    for _ in 0..ATTEMPTS {
        let state = environments.state(&draft.environment)?;
        if let Some(call) = &draft.call
            && let Some(recorded) = environments.answered(&draft.environment, call)?
        {
            return Ok(Outcome::Replayed {
                recorded,
                position: state.head.position(),
            });
        }
        let entry = state.records.rollbacks.get(id.as_str());
        let Some((entry, rollback)) = entry.and_then(|entry| Some((entry, entry.value().ok()?))) else {
            return Err(CommitError::NotFound(MissingItem::Record(key)).into());
        };
        let put = Operation::put_record(id.clone(), change(rollback)?, Expected::Digest(*entry.digest()))?;
        let draft = Draft {
            operations: vec![put],
            ..draft.clone()
        };
        match environments.submit(draft).await {
            Err(CommitError::Conflict(StateConflict::RecordMoved(_))) => {}
            done => return Ok(done?),
        }
    }
    Err(CommitError::Conflict(StateConflict::RecordMoved(key)).into())
}

/// The record of a rollback that is stopped at its step.
pub fn stopped(rollback: &Rollback, environment: &EnvironmentKey) -> Result<Rollback, WrongRollbackState> {
    match rollback.state {
        RollbackState::Committed | RollbackState::Failed if stages::remaining(rollback) > 0 => {}
        RollbackState::Committed | RollbackState::Partial => {
            return Err(WrongRollbackState::of(
                rollback,
                "it is fully committed, so there is no step left to stop. To undo it: `ripcord rollback undo`",
            ));
        }
        RollbackState::Planned | RollbackState::Confirmed | RollbackState::Failed | RollbackState::Stopped | RollbackState::Undone => {
            return Err(WrongRollbackState::of(rollback, "it is not running, so there is nothing to stop"));
        }
    }
    let mut next = rollback.clone();
    next.state = RollbackState::Stopped;
    if let Some(stages) = &mut next.ladder {
        stages.next_at = None;
    }
    next.message = messages::state(&next, environment);
    Ok(next)
}

/// The record of a rollback that continues: a staged one with its next step, a failed one with its checks.
pub fn resumed(rollback: &Rollback, pace: ResumePace, now: Timestamp, environment: &EnvironmentKey) -> Result<Rollback, WrongRollbackState> {
    let remaining = stages::remaining(rollback);
    match (rollback.state, pace) {
        (RollbackState::Failed, _) => {}
        (RollbackState::Stopped, _) | (RollbackState::Committed, ResumePace::Now) if remaining > 0 => {}
        (RollbackState::Committed, ResumePace::Steps) if remaining > 0 => {
            return Err(WrongRollbackState::of(rollback, "it continues automatically. Use `--now` to finish at once"));
        }
        (RollbackState::Committed | RollbackState::Partial, _) => {
            return Err(WrongRollbackState::of(
                rollback,
                "it is fully committed and already waiting for the missing confirmations",
            ));
        }
        (RollbackState::Planned | RollbackState::Confirmed | RollbackState::Stopped | RollbackState::Undone, _) => {
            return Err(WrongRollbackState::of(rollback, "it has no steps left"));
        }
    }
    let mut next = rollback.clone();
    next.state = RollbackState::Committed;
    match &mut next.ladder {
        Some(stages) if remaining > 0 => {
            stages.next_at = Some(now);
            if pace == ResumePace::Now {
                // Only the target is left then.
                stages.steps.truncate(usize::try_from(stages.done).unwrap_or(usize::MAX));
            }
        }
        Some(_) | None => next.confirmation = None,
    }
    next.message = messages::state(&next, environment);
    Ok(next)
}
