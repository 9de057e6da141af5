//! Rollbacks: refused, in the wrong state, or waiting for the store.

use ripcord_proto::check::CheckOutcome;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::text::shell_word;

use crate::commit::CommitError;
use crate::http::ApiError;
use crate::rollback::{ActionError, PrepareError, RollbackError, WrongRollbackState};

/// Commands listed in the text of a problem, at most; its member `commands` has all.
const COMMANDS: usize = 20;

impl From<RollbackError> for ApiError {
    fn from(error: RollbackError) -> Self {
        match error {
            RollbackError::Prepare(error) => error.into(),
            RollbackError::WrongState(wrong) => wrong.into(),
            RollbackError::Commit(error) => error.into(),
            RollbackError::ChecksFailed(failed) => checks_failed(&failed),
            RollbackError::PlanStale { now, moved } => {
                let detail = format!("Nothing was changed: {moved}. `ripcord rollback plan` shows what would happen now.");
                Problem::new(Code::PlanStale, detail).with("plan", now.to_string()).into()
            }
            RollbackError::NothingToRollBack { error, alternatives } => alternatives.add_to(error.problem()).into(),
            RollbackError::StoreAway { error, commands } => store_away(&error, commands),
        }
    }
}

impl From<PrepareError> for ApiError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Resolve(error) => error.into(),
            PrepareError::Changes(error) => error.into(),
            PrepareError::Commit(error) => error.into(),
            PrepareError::Store(error) => error.into(),
        }
    }
}

impl From<WrongRollbackState> for ApiError {
    fn from(wrong: WrongRollbackState) -> Self {
        let detail = format!("Rollback {} is {}: {}.", wrong.id, wrong.state.as_str(), wrong.why);
        Self::new(Code::WrongState, detail)
    }
}

impl From<ActionError> for ApiError {
    fn from(error: ActionError) -> Self {
        match error {
            ActionError::WrongState(wrong) => wrong.into(),
            ActionError::Commit(error) => error.into(),
        }
    }
}

fn checks_failed(failed: &[CheckOutcome]) -> ApiError {
    let named = failed.iter().map(|outcome| format!("{} of {}: {}", outcome.name, outcome.of, outcome.detail));
    let names: Vec<String> = failed.iter().map(|outcome| shell_word(&outcome.name)).collect();
    let detail = format!(
        "Nothing was changed: a check that must pass before a rollback failed. {}. If the check is what is broken, roll back all the same with \
         `--acknowledge-check {}` (\"acknowledge_checks\"); it is recorded.",
        named.collect::<Vec<_>>().join("; "),
        names.join(",")
    );
    let checks = serde_json::to_value(failed).unwrap_or_default();
    Problem::new(Code::CheckFailed, detail).with("checks", checks).into()
}

/// Rollbacks need the store, but kills do not: the commands that make the scope safe until the store is back.
fn store_away(error: &CommitError, commands: Vec<String>) -> ApiError {
    let mut problem = error.problem();
    problem
        .detail
        .push_str(" A rollback needs the store, because it could not be merged safely afterwards. Kills work without it and make this scope safe:");
    problem.detail.extend(commands.iter().take(COMMANDS).map(|command| format!("\n  {command}")));
    if commands.len() > COMMANDS {
        problem.detail.extend([format!("\nand {} more", commands.len() - COMMANDS)]);
    }
    problem.with("commands", commands).into()
}
