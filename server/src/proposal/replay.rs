//! Turns what a proposal keeps into the same request to the commit path again.

use ripcord_proto::KillScope;
use ripcord_proto::proposal::{Proposal, ProposedOperation};
use ripcord_proto::record::Record;
use ripcord_proto::rest::Request as _;
use ripcord_proto::rest::commits::ChangeRequest;
use ripcord_proto::rest::triggers::TriggerPatch;

use crate::check::Checks;
use crate::commit::{Author, CommitError, CompoundChange, Expected, InvalidDraft, MissingItem, Operation, StateConflict};
use crate::environment::Environments;
use crate::file_set;
use crate::rollback::{self, PrepareError, RollbackError};
use crate::rollout::actions::{self, RolloutAction};
use crate::trigger::crud;

/// Why a proposal cannot be submitted again.
#[derive(Debug)]
pub(super) enum ReplayError {
    /// The environment has changed.
    Outdated(String),
    /// It is refused now.
    Refused(Box<RollbackError>),
}

impl From<RollbackError> for ReplayError {
    fn from(error: RollbackError) -> Self {
        Self::Refused(Box::new(error))
    }
}

/// The operations that a proposal keeps. Those of a rollback are made when its probes agree; a caller that only shows them runs none.
pub(super) async fn operations(
    environments: &Environments,
    checks: Option<&Checks>,
    author: &Author,
    proposal: &Proposal,
) -> Result<Vec<Operation>, ReplayError> {
    let mut operations = Vec::with_capacity(proposal.asked.len());
    for kept in &proposal.asked {
        operations.push(match kept {
            ProposedOperation::Change(request) => {
                change(request.clone()).map_err(|scope| ReplayError::Outdated(format!("{scope} would be killed, which never needs approval")))?
            }
            ProposedOperation::PutRecord(record) => {
                let record = Record::try_from(record.clone()).map_err(|errors| ReplayError::Outdated(format!("its record cannot be read: {errors}")))?;
                Operation::PutRecord(record, Expected::Anything)
            }
            ProposedOperation::StartRollout(rollout) => actions::start((**rollout).clone()),
            ProposedOperation::ResumeRollout { rollout, word } => actions::operation(rollout.clone(), RolloutAction::Resume, word.clone()),
            ProposedOperation::AdvanceRollout { rollout, word } => actions::operation(rollout.clone(), RolloutAction::Advance, word.clone()),
            ProposedOperation::ChangeTrigger { trigger, patch } => {
                let patch = TriggerPatch::from_value(patch).map_err(|errors| ReplayError::Outdated(format!("its change cannot be read: {errors}")))?;
                crud::change(trigger.clone(), patch, None)
            }
            ProposedOperation::RollBack(record) => {
                let prepared = rollback::prepare_again(environments, &proposal.environment, author, record).await;
                let prepared = prepared.map_err(of_preparation)?;
                if let Some(checks) = checks {
                    rollback::ask_probes(checks, &prepared).await?;
                }
                Operation::Rollback(Box::new(prepared.reversal))
            }
        });
    }
    Ok(operations)
}

fn of_preparation(error: PrepareError) -> ReplayError {
    match error {
        PrepareError::Commit(error) if !has_moved(&error) => ReplayError::Refused(Box::new(error.into())),
        error @ PrepareError::Store(_) => ReplayError::Refused(Box::new(error.into())),
        error @ (PrepareError::Commit(_) | PrepareError::Resolve(_) | PrepareError::Changes(_)) => ReplayError::Outdated(error.to_string()),
    }
}

/// A change of a commit as an operation.
///
/// # Errors
/// It is a kill of this scope, whose id and time are made when it is pulled.
pub fn change(change: ChangeRequest) -> Result<Operation, KillScope> {
    match Operation::try_from(change) {
        Ok(operation) => Ok(operation),
        Err(CompoundChange::ApplySet(set)) => Ok(file_set::operation(*set)),
        Err(CompoundChange::Kill(scope)) => Err(scope),
    }
}

/// Whether something is refused because the environment has changed since it was proposed.
pub(super) fn has_moved(error: &CommitError) -> bool {
    match error {
        CommitError::NotFound(missing) => match missing {
            MissingItem::Flag(_)
            | MissingItem::Segment(_)
            | MissingItem::Release(_)
            | MissingItem::Tag { .. }
            | MissingItem::Kill(_)
            | MissingItem::Record(_) => true,
            MissingItem::Environment(_) | MissingItem::Key(_) | MissingItem::Checkpoint { .. } | MissingItem::NotACheckpoint(_) => false,
        },
        CommitError::Conflict(conflict) => match conflict {
            StateConflict::RecordMoved(_)
            | StateConflict::ReleaseFinished(_)
            | StateConflict::WrongState { .. }
            | StateConflict::Exists { .. }
            | StateConflict::InUse { .. }
            | StateConflict::Stale { .. }
            | StateConflict::PlanStale { .. } => true,
            StateConflict::NotLeader | StateConflict::NoKnownGood(_) => false,
        },
        CommitError::Invalid(invalid) => match invalid {
            InvalidDraft::Fields(_) => true,
            InvalidDraft::FileConflicts(_) | InvalidDraft::ReasonRequired | InvalidDraft::IdempotencyMismatch => false,
        },
        CommitError::Guard(_) | CommitError::Proposed(_) | CommitError::Replayed(_) | CommitError::Store(_) | CommitError::Internal(_) => false,
    }
}
