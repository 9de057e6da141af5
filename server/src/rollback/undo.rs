//! An undo is a rollback of what a rollback did, under the same guards. It marks the first one as undone in the same commit.

use ripcord_proto::record::RecordKey;
use ripcord_proto::rollback::{Rollback, RollbackState};
use ripcord_proto::{EnvironmentKey, RollbackId};

use super::error::{RollbackError, WrongRollbackState};
use super::execute::{CommittedRollback, ask_probes, concluded, replayed};
use super::{RollbackSpec, messages, prepare};
use crate::check::Checks;
use crate::commit::{CommitError, Draft, Expected, KilledEdit, MissingItem, Operation, StateConflict};
use crate::environment::Environments;

/// How often the decision is repeated if the record changes at the same time.
const ATTEMPTS: usize = 8;

/// Commits what `spec`, made by [`RollbackSpec::undoing`], asks for; `draft` says who asks and how it is answered. Answers when everyone
/// is served by it. A dropped future takes nothing back.
pub async fn commit(
    environments: &Environments,
    checks: &Checks,
    draft: &Draft,
    spec: &RollbackSpec,
    id: &RollbackId,
) -> Result<CommittedRollback, RollbackError> {
    let environment = &draft.environment;
    if let Some(call) = &draft.call
        && let Some(done) = replayed(environments, environment, call)?
    {
        return Ok(done);
    }
    let key = RecordKey::Rollback(id.clone());
    let mut last = CommitError::Conflict(StateConflict::RecordMoved(key.clone()));
    for _ in 0..ATTEMPTS {
        let state = environments.state(environment)?;
        let entry = state.records.rollbacks.get(id.as_str());
        let Some((entry, rollback)) = entry.and_then(|entry| Some((entry, entry.value().ok()?))) else {
            return Err(CommitError::NotFound(MissingItem::Record(key)).into());
        };
        if rollback.state == RollbackState::Undone {
            let why = "it was already undone. `ripcord rollback show` names the rollback that undid it";
            return Err(WrongRollbackState::of(rollback, why).into());
        }
        let prepared = prepare(environments, environment, &draft.author, spec).await?;
        ask_probes(checks, &prepared).await?;
        let record = &prepared.reversal.record;
        let undone = undone(rollback, &record.id, environment);
        let draft = Draft {
            reason: Some(spec.in_words(&record.target)),
            operations: vec![
                Operation::Rollback(Box::new(prepared.reversal.clone())),
                Operation::put_record(id.clone(), undone, Expected::Digest(*entry.digest()))?,
            ],
            killed_edit: if spec.options.allow_killed_edit {
                KilledEdit::Accept
            } else {
                KilledEdit::Refuse
            },
            ..draft.clone()
        };
        match environments.submit(draft.clone()).await {
            Err(error @ CommitError::Conflict(StateConflict::RecordMoved(_))) => last = error,
            submitted => return concluded(environments, &draft, &prepared, spec, submitted).await,
        }
    }
    Err(last.into())
}

/// The record of the rollback that is taken forward again.
fn undone(rollback: &Rollback, by: &RollbackId, environment: &EnvironmentKey) -> Rollback {
    let mut next = rollback.clone();
    next.state = RollbackState::Undone;
    next.undone_by = Some(by.clone());
    if let Some(stages) = &mut next.ladder {
        stages.next_at = None;
    }
    next.message = messages::state(&next, environment);
    next
}
