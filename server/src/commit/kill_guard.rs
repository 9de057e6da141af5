//! Which changes a kill forbids (DESIGN, promise 4), and which writes need a reason.

use std::collections::BTreeSet;

use ripcord_proto::FlagKey;
use ripcord_proto::role::Role;

use super::draft::{Draft, KilledEdit};
use super::error::{CommitError, GuardRefusal, InvalidDraft};
use super::operation::Operation;
use super::state::{EnvironmentState, served};

/// Refuses a draft that a kill forbids, or that lacks a required reason.
pub(super) fn check(draft: &Draft, before: &EnvironmentState, after: &EnvironmentState, touched: &BTreeSet<FlagKey>) -> Result<(), CommitError> {
    check_reason(draft)?;
    check_kills(draft, before, after, touched)
}

/// Refuses changes of killed flags.
pub(super) fn check_kills(draft: &Draft, before: &EnvironmentState, after: &EnvironmentState, touched: &BTreeSet<FlagKey>) -> Result<(), CommitError> {
    for key in touched {
        check_killed(draft, before, after, key)?;
    }
    Ok(())
}

/// People give a reason; kills never need one, and pipelines generate theirs.
fn check_reason(draft: &Draft) -> Result<(), CommitError> {
    let needs = |operation: &Operation| match operation {
        Operation::Restore(_) => true,
        Operation::PutFlag(..)
        | Operation::DeleteFlag(_)
        | Operation::SetEnabled(..)
        | Operation::PutSegment(..)
        | Operation::DeleteSegment(_)
        | Operation::PutSettings(_) => draft.author.actor.role.is_person(),
        Operation::Kill(_)
        | Operation::Merge(_)
        | Operation::Withdraw(_)
        | Operation::GiveReason(..)
        | Operation::Driven(_)
        | Operation::PutRecord(..)
        | Operation::DeleteRecord(..)
        | Operation::Decide(_)
        | Operation::DecideNow(_)
        | Operation::Ping(_)
        | Operation::Rollback(_) => false,
    };
    let given = draft.reason.as_ref().is_some_and(|reason| !reason.trim().is_empty());
    if given || !draft.operations.iter().any(needs) {
        Ok(())
    } else {
        Err(CommitError::Invalid(InvalidDraft::ReasonRequired))
    }
}

fn check_killed(draft: &Draft, before: &EnvironmentState, after: &EnvironmentState, key: &FlagKey) -> Result<(), CommitError> {
    // A kill in the same commit does not forbid the other changes in it; only kills from before do.
    let Some(kill) = before
        .snapshot
        .kills_of(key.as_str())
        .find(|kill| after.snapshot.kills.get(kill.id.as_str()).is_some())
    else {
        return Ok(());
    };
    let refuse = |why| {
        Err(CommitError::Guard(GuardRefusal::Killed {
            flag: key.clone(),
            kill: Box::new(kill.clone()),
            why,
        }))
    };
    if draft.author.actor.role == Role::Pipeline {
        return refuse("a pipeline may not change a killed flag. Lift the kill first, or leave the flag unchanged");
    }
    let (was, is) = (before.snapshot.flags.value(key.as_str()), after.snapshot.flags.value(key.as_str()));
    // A flag created under a kill serves its safe variant from the start, so nothing changes.
    let Some(was) = was else { return Ok(()) };
    if draft.killed_edit == KilledEdit::Refuse && is.map(served) != Some(served(was)) {
        return refuse(
            "the edit would change what the killed flag serves now. If you mean it, set \"allow_killed_edit\": true (on the command line: --allow-killed-edit)",
        );
    }
    Ok(())
}
