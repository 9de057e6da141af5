//! Waiting for the end of a rollout.

use std::time::Duration;

use ripcord_proto::record::RecordKey;
use ripcord_proto::rollout::Rollout;
use ripcord_proto::{EnvironmentKey, RolloutId};

use super::commits;
use crate::commit::CommitError;
use crate::environment::Environments;

/// The rollout when it is over, or as it is after `patience`.
pub(super) async fn settled(environments: &Environments, environment: &EnvironmentKey, id: &RolloutId, patience: Duration) -> Result<Rollout, CommitError> {
    let mut states = environments.watch(environment)?;
    let over = states.wait_for(|state| commits::entry_of(state, id).is_none_or(|(_, rollout)| rollout.state.is_final()));
    // Whether the time is up or the environment goes: what is known last is the answer.
    let _ = tokio::time::timeout(patience, over).await;
    let state = environments.state(environment)?;
    let found = commits::entry_of(&state, id).map(|(_, rollout)| rollout.clone());
    found.ok_or_else(|| CommitError::NoRecord(RecordKey::Rollout(id.clone())))
}
