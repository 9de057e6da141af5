//! Why a rollback was refused or failed.

use ripcord_proto::check::CheckOutcome;
use ripcord_proto::digest::Digest;
use ripcord_proto::rollback::{Rollback, RollbackScope, RollbackState};
use ripcord_proto::text::shell_argument;

use super::alternatives::Alternatives;
use crate::checkpoint::ResolveError;
use crate::commit::CommitError;
use crate::commit::reversal::ReversalScope;
use crate::release::ReleaseChangesError;
use crate::store::StoreError;

/// Why a rollback, or its undo, was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    /// It cannot be prepared.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The rollback is in a different state.
    #[error(transparent)]
    WrongState(#[from] WrongRollbackState),
    /// Checks that must pass first failed.
    #[error("checks that must pass before a rollback failed: {}", named(.0))]
    ChecksFailed(Vec<CheckOutcome>),
    /// The state has changed since the plan was made.
    #[error("the plan is out of date: {moved}")]
    PlanStale {
        /// The hash of what would happen now.
        now: Digest,
        /// What has changed.
        moved: String,
    },
    /// The store is away. A rollback cannot be merged safely later, so it waits; kills do not.
    #[error("{error}")]
    StoreAway {
        /// The error of the store.
        error: CommitError,
        /// The commands that make the scope safe until then.
        commands: Vec<String>,
    },
    /// There is nothing to roll back.
    #[error("{error}")]
    NothingToRollBack {
        /// The refusal of the commit.
        error: CommitError,
        /// What may have been meant.
        alternatives: Alternatives,
    },
    /// The commit was refused.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Why a rollback cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// Its target does not exist.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// What its release changed cannot be read.
    #[error(transparent)]
    Changes(#[from] ReleaseChangesError),
    /// It names something that does not exist.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a rollback could not be stopped, resumed or reviewed.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// The rollback is in a different state.
    #[error(transparent)]
    WrongState(#[from] WrongRollbackState),
    /// It could not be committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// A rollback is in a state that does not allow it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rollback {id} is {}: {why}", state.as_str())]
pub struct WrongRollbackState {
    pub id: ripcord_proto::RollbackId,
    pub state: RollbackState,
    /// What can be done instead.
    pub why: &'static str,
}

impl WrongRollbackState {
    pub(super) fn of(rollback: &Rollback, why: &'static str) -> Self {
        Self {
            id: rollback.id.clone(),
            state: rollback.state,
            why,
        }
    }
}

impl RollbackError {
    /// The store is away: names the kills that make `scope` safe until it returns.
    pub fn store_away(error: CommitError, scope: &RollbackScope, reach: Option<&ReversalScope>) -> Self {
        Self::StoreAway {
            error,
            commands: commands(scope, reach),
        }
    }
}

/// `smoke of flag checkout: 503, expected 200; …`
fn named(failed: &[CheckOutcome]) -> String {
    let named = failed.iter().map(|outcome| format!("{} of {}: {}", outcome.name, outcome.of, outcome.detail));
    named.collect::<Vec<_>>().join("; ")
}

fn commands(scope: &RollbackScope, reach: Option<&ReversalScope>) -> Vec<String> {
    let flag = |key: &ripcord_proto::FlagKey| format!("ripcord kill {}", shell_argument(key.as_str()));
    match (scope, reach) {
        (RollbackScope::Environment, _) => vec!["ripcord kill --all".to_owned()],
        (RollbackScope::Flags(flags), _) => flags.iter().map(flag).collect(),
        (RollbackScope::Tags(tags), _) => tags.iter().map(|tag| format!("ripcord kill --tag {tag}")).collect(),
        (RollbackScope::Release(_) | RollbackScope::Rollback(_) | RollbackScope::Rollout(_), Some(ReversalScope::Touched(left))) => {
            left.keys().map(flag).collect()
        }
        (RollbackScope::Release(_) | RollbackScope::Rollback(_) | RollbackScope::Rollout(_), _) => vec!["ripcord kill FLAG".to_owned()],
    }
}
