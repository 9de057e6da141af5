//! What people do to a rollback that is under way: stop it, let it go on, hurry it. Each is a change of the record, from which
//! the node that drives takes it up.

use std::sync::Arc;

use jiff::Timestamp;
use ripcord_proto::problem::Code;
use ripcord_proto::record::RecordKey;
use ripcord_proto::rollback::{Rollback, RollbackState};
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, Position, RollbackId};

use super::{ladder, says};
use crate::commit::{CommitError, Draft, Expected, Operation, Outcome};
use crate::environment::Environments;
use crate::http::ApiError;

/// How a rollback goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Step by step, the next one now.
    Steps,
    /// All that is left at once.
    Now,
}

/// How often an act is decided anew where the record changes just then.
const ATTEMPTS: usize = 8;

/// Why an act was not done.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The state is not one for it.
    #[error(transparent)]
    WrongState(#[from] WrongState),
    /// It could not be committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// It cannot be done in the state that the rollback is in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rollback {id} is {}: {why}", state.as_str())]
pub struct WrongState {
    /// Which rollback.
    pub id: ripcord_proto::RollbackId,
    /// Its state.
    pub state: RollbackState,
    /// What can be done instead.
    pub why: &'static str,
}

impl From<WrongState> for ApiError {
    fn from(wrong: WrongState) -> Self {
        let detail = format!("Rollback {} is {}: {}.", wrong.id, wrong.state.as_str(), wrong.why);
        Self::new(Code::WrongState, detail)
    }
}

impl From<ActError> for ApiError {
    fn from(error: ActError) -> Self {
        match error {
            ActError::WrongState(wrong) => wrong.into(),
            ActError::Commit(error) => error.into(),
        }
    }
}

impl WrongState {
    pub(super) fn of(rollback: &Rollback, why: &'static str) -> Self {
        Self {
            id: rollback.id.clone(),
            state: rollback.state,
            why,
        }
    }
}

/// Changes the record of a rollback by what `change` makes of it, decided anew where it changes just then; `draft` says who asks
/// and how it is answered. A repeated call gets its first answer, whatever became of the rollback.
pub async fn amend(
    environments: &Environments,
    draft: &Draft,
    id: &RollbackId,
    change: impl Fn(&Rollback) -> Result<Rollback, WrongState>,
) -> Result<Outcome, ActError> {
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
            return Err(CommitError::NoRecord(key).into());
        };
        let next = Entry::new(id.clone(), change(rollback)?, Position::START).map_err(|error| CommitError::Internal(error.to_string()))?;
        let put = Operation::PutRecord(Arc::new(next).into(), Expected::Digest(*entry.digest()));
        let draft = Draft {
            operations: vec![put],
            ..draft.clone()
        };
        match environments.submit(draft).await {
            Err(CommitError::RecordMoved(_)) => {}
            done => return Ok(done?),
        }
    }
    Err(CommitError::RecordMoved(key).into())
}

/// The record of a rollback that is left where it is.
pub fn stopped(rollback: &Rollback, environment: &EnvironmentKey) -> Result<Rollback, WrongState> {
    match rollback.state {
        RollbackState::Committed | RollbackState::Failed if ladder::remaining(rollback) > 0 => {}
        RollbackState::Committed | RollbackState::Partial => {
            return Err(WrongState::of(
                rollback,
                "it is committed whole and there is no step left to stop. `ripcord rollback undo` takes it back",
            ));
        }
        RollbackState::Planned | RollbackState::Confirmed | RollbackState::Failed | RollbackState::Stopped | RollbackState::Undone => {
            return Err(WrongState::of(rollback, "nothing goes on that could be stopped"));
        }
    }
    let mut next = rollback.clone();
    next.state = RollbackState::Stopped;
    if let Some(ladder) = &mut next.ladder {
        ladder.next_at = None;
    }
    next.says = says::state(&next, environment);
    Ok(next)
}

/// The record of a rollback that goes on: a ladder with its next step, a failed one with its checks.
pub fn resumed(rollback: &Rollback, pace: Pace, now: Timestamp, environment: &EnvironmentKey) -> Result<Rollback, WrongState> {
    let remaining = ladder::remaining(rollback);
    match (rollback.state, pace) {
        (RollbackState::Failed, _) => {}
        (RollbackState::Stopped, _) | (RollbackState::Committed, Pace::Now) if remaining > 0 => {}
        (RollbackState::Committed, Pace::Steps) if remaining > 0 => {
            return Err(WrongState::of(rollback, "it goes on by itself. `--now` does all that is left at once"));
        }
        (RollbackState::Committed | RollbackState::Partial, _) => {
            return Err(WrongState::of(rollback, "it is committed whole, and who is missing is watched already"));
        }
        (RollbackState::Planned | RollbackState::Confirmed | RollbackState::Stopped | RollbackState::Undone, _) => {
            return Err(WrongState::of(rollback, "there is nothing left to go on with"));
        }
    }
    let mut next = rollback.clone();
    next.state = RollbackState::Committed;
    match &mut next.ladder {
        Some(ladder) if remaining > 0 => {
            ladder.next_at = Some(now);
            if pace == Pace::Now {
                // Only the target is left then.
                ladder.steps.truncate(usize::try_from(ladder.done).unwrap_or(usize::MAX));
            }
        }
        Some(_) | None => next.confirmation = None,
    }
    next.says = says::state(&next, environment);
    Ok(next)
}
