//! Finds the state that a name refers to, and verifies it.

use std::sync::Arc;

use ripcord_proto::checkpoint::Checkpoint;
use ripcord_proto::record::Records;
use ripcord_proto::rollback::RollbackTarget;
use ripcord_proto::snapshot::ContentHash;
use ripcord_proto::{CheckpointName, EnvironmentKey, Position, Revision, TargetName};

use crate::audit;
use crate::commit::state::EnvironmentState;
use crate::commit::{CommitError, MissingItem, StateConflict};
use crate::environment::Environments;
use crate::store::{LogName, StoreError};

/// Most names that are suggested for an unknown one.
const NEAREST: usize = 3;

/// A state that was named.
#[derive(Debug, Clone)]
pub struct ResolvedTarget {
    /// Which state it is; it names the checkpoint if the name was that of one or `last-known-good`.
    pub target: RollbackTarget,
    /// The state. Its records are those of that time.
    pub state: Arc<EnvironmentState>,
}

/// Why a name does not refer to a state.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The revision does not exist yet.
    #[error("{named} is newer than the newest revision, {newest}")]
    Ahead {
        /// The name as given.
        named: TargetName,
        /// The newest position.
        newest: Position,
    },
    /// The position never existed in this log.
    #[error("revision {named} does not exist")]
    NoRevision {
        /// The name as given.
        named: TargetName,
        /// The newest position.
        newest: Position,
    },
    /// The log gives a different state than the one that the checkpoint was taken of.
    #[error("checkpoint {name} has the content hash {stated}, but the log gives {computed}")]
    Altered {
        name: CheckpointName,
        /// The hash in the checkpoint.
        stated: ContentHash,
        /// The hash of the state that was read back.
        computed: ContentHash,
    },
    /// The environment or the checkpoint does not exist, or no checkpoint is known-good.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The state that `name` refers to. If it is a checkpoint's, it is verified against its hash.
pub async fn resolve(environments: &Environments, environment: &EnvironmentKey, name: &TargetName) -> Result<ResolvedTarget, ResolveError> {
    let now = environments.state(environment)?;
    let (position, checkpoint) = find(environments, environment, &now, name).await?;
    let state = environments.recall(environment, position).await?;
    verified(name, (position, checkpoint), state, &now)
}

/// The same, but an earlier state is read back from the log even if it is in memory: whether the log gives it is what the caller asks.
pub async fn prove(environments: &Environments, environment: &EnvironmentKey, name: &TargetName) -> Result<ResolvedTarget, ResolveError> {
    let now = environments.state(environment)?;
    let (position, checkpoint) = find(environments, environment, &now, name).await?;
    let state = if position == now.head.position() {
        Some(Arc::clone(&now))
    } else {
        environments.state_at(environment, position).await?.map(Arc::new)
    };
    verified(name, (position, checkpoint), state, &now)
}

/// Where the state is that `name` refers to, and the checkpoint if it is one's.
async fn find<'a>(
    environments: &Environments,
    environment: &EnvironmentKey,
    now: &'a EnvironmentState,
    name: &TargetName,
) -> Result<(Position, Option<&'a Checkpoint>), ResolveError> {
    let (position, checkpoint) = match name {
        TargetName::LastKnownGood => {
            let good = now.records.last_known_good();
            let good = good.ok_or_else(|| CommitError::from(StateConflict::NoKnownGood(environment.clone())))?;
            (good.position(), Some(good))
        }
        TargetName::Checkpoint(wanted) => {
            let found = now.records.checkpoints.value(wanted.as_str());
            let found = found.ok_or_else(|| CommitError::from(no_checkpoint(wanted, &now.records)))?;
            (found.position(), Some(found))
        }
        TargetName::Revision(revision) => (of_revision(environments, environment, now, *revision).await?, None),
        TargetName::Position(position) => (*position, None),
    };
    let newest = now.head.position();
    if position > newest {
        return Err(ResolveError::Ahead { named: name.clone(), newest });
    }
    Ok((position, checkpoint))
}

/// The state that was found under `name`, or why it is not the right one.
fn verified(
    name: &TargetName,
    (position, checkpoint): (Position, Option<&Checkpoint>),
    state: Option<Arc<EnvironmentState>>,
    now: &EnvironmentState,
) -> Result<ResolvedTarget, ResolveError> {
    let newest = now.head.position();
    let state = state.ok_or_else(|| ResolveError::NoRevision { named: name.clone(), newest })?;
    if let Some(checkpoint) = checkpoint.filter(|checkpoint| !state.snapshot.has_hash(&checkpoint.hash)) {
        return Err(ResolveError::Altered {
            name: checkpoint.name.clone(),
            stated: checkpoint.hash,
            computed: state.hash,
        });
    }
    let target = RollbackTarget {
        epoch: position.epoch,
        revision: position.revision,
        hash: state.hash,
        checkpoint: checkpoint.map(|checkpoint| checkpoint.name.clone()),
    };
    Ok(ResolvedTarget { target, state })
}

/// The epoch of a bare revision: the current one if nothing in it is newer, else the one in which it was made.
async fn of_revision(environments: &Environments, environment: &EnvironmentKey, now: &EnvironmentState, revision: Revision) -> Result<Position, ResolveError> {
    let newest = now.head.position();
    if revision == Revision(0) {
        return Ok(Position::START);
    }
    // In the first epoch there is only one possible place.
    if revision >= newest.revision || newest.epoch == Position::START.epoch {
        return Ok(Position { revision, ..newest });
    }
    let log = LogName::Environment(environment.clone());
    let found = audit::position_of(&**environments.store(), &log, now.head.sequence, revision).await?;
    let named = TargetName::Revision(revision);
    found.ok_or(ResolveError::NoRevision { named, newest })
}

/// The checkpoint does not exist; suggests similar names.
pub(super) fn no_checkpoint(name: &CheckpointName, records: &Records) -> MissingItem {
    let mut nearest: Vec<&CheckpointName> = records.checkpoints.iter().map(|entry| entry.key()).collect();
    nearest.sort_by_key(|other| strsim::osa_distance(name.as_str(), other.as_str()));
    MissingItem::Checkpoint {
        name: name.clone(),
        nearest: nearest.into_iter().take(NEAREST).cloned().collect(),
    }
}
