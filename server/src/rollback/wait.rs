//! Waits for the result of a rollback.

use std::time::Duration;

use ripcord_proto::rollback::{Rollback, RollbackState};
use ripcord_proto::{EnvironmentKey, RollbackId};

use crate::commit::CommitError;
use crate::environment::Environments;

/// The rollback when it is confirmed, partial, failed, stopped or undone, or as it is after `patience`; `None` if it does not exist.
///
/// # Errors
/// The environment is not there, or goes while this waits.
pub async fn settled(environments: &Environments, environment: &EnvironmentKey, id: &RollbackId, patience: Duration) -> Result<Option<Rollback>, CommitError> {
    let mut states = environments.watch(environment)?;
    let is_settled = |rollback: Option<&Rollback>| {
        rollback.is_none_or(|rollback| match rollback.state {
            RollbackState::Planned | RollbackState::Committed => false,
            RollbackState::Confirmed | RollbackState::Partial | RollbackState::Failed | RollbackState::Stopped | RollbackState::Undone => true,
        })
    };
    let settled = states.wait_for(|state| is_settled(state.records.rollbacks.value(id.as_str())));
    // Whether the time is up or the environment goes: what is known last is the answer.
    let _ = tokio::time::timeout(patience, settled).await;
    Ok(environments.state(environment)?.records.rollbacks.value(id.as_str()).cloned())
}
