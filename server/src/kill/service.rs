//! Killing and restoring.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ripcord_proto::policy::GuardedOperation;
use ripcord_proto::{EnvironmentKey, Kill, KillId, KillScope};
use tokio::sync::Notify;

use super::order::{KillInForce, KillOrder, KillOutcome, RestoreOutcome};
use crate::clock::new_id;
use crate::commit::committer::{OnDisconnect, Queue};
use crate::commit::state::{EnvironmentState, flags_with_tag};
use crate::commit::{CommitError, Draft, InvalidDraft, MissingItem, Outcome, StoreFailure};
use crate::environment::Environments;
use crate::peer::Peers;
use crate::store::journal::Journal;

/// Why a provisional kill is not withdrawn if a restore needs a second person.
const NEEDS_THE_STORE: &str = "a restore needs a second person in this environment, and a proposal needs the store";

/// How long a kill waits for the store before it takes effect without it.
const PATIENCE: Duration = Duration::from_millis(250);

/// Makes and lifts kills. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Kills {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) environments: Environments,
    pub(super) journal: Journal,
    pub(super) peers: Peers,
    pub(super) node: String,
    /// Wakes the merging of provisional kills.
    pub(super) pending: Notify,
}

impl Kills {
    pub(super) fn new(environments: Environments, journal: Journal, peers: Peers, node: String) -> Self {
        Self {
            inner: Arc::new(Inner {
                environments,
                journal,
                peers,
                node,
                pending: Notify::new(),
            }),
        }
    }

    /// Makes a kill. Waits only for the store, and at most for [`PATIENCE`].
    ///
    /// While the store is away, is being re-seeded or leaves the outcome unknown, the kill takes effect as a provisional one.
    pub async fn kill(&self, order: KillOrder) -> Result<KillOutcome, CommitError> {
        let running = self.inner.environments.running(&order.environment)?;
        if let Some(call) = &order.call
            && let Some(recorded) = running.committer.answered().find(call)?
        {
            return Ok(KillOutcome::Replayed(recorded));
        }
        if let Some(existing) = self.provisional_of(&order.environment, &order.scope)? {
            return self.existing(&order, existing).map(KillOutcome::InForce);
        }
        if !order.future {
            check_tag(&order.scope, None, &*self.inner.environments.state(&order.environment)?)?;
        }
        let id = order
            .id
            .clone()
            .unwrap_or_else(|| new_id(self.inner.environments.clock().now(), KillId::from_parts));
        self.check_not_ended(&order.environment, &id)?;
        let kill = Kill {
            id,
            scope: order.scope.clone(),
            reason: order.reason.clone(),
            actor: order.author.actor.clone(),
            at: self.inner.environments.clock().now(),
            flags: BTreeSet::new(),
        };
        let draft = order.draft(kill.clone());
        let submitted = running.committer.submit(draft, Queue::Urgent, OnDisconnect::Skip);
        match tokio::time::timeout(PATIENCE, submitted).await {
            Ok(Ok(outcome)) => {
                // A peer that is cut off from the store learns of it directly.
                self.inner.peers.notify();
                killed(outcome)
            }
            Ok(Err(error)) if !error.is_store_away() => Err(error),
            Ok(Err(_)) | Err(_) => self.take_provisionally(&order, kill).await.map(KillOutcome::InForce),
        }
    }

    /// Lifts a kill, and only that kill. A provisional one is merged first if the store is there; if it is away, the node
    /// that made the kill withdraws it.
    pub async fn restore(&self, id: KillId, draft: Draft) -> Result<RestoreOutcome, CommitError> {
        let environment = draft.environment.clone();
        if self.is_provisional(&environment, &id)? {
            if draft.reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
                return Err(CommitError::Invalid(InvalidDraft::ReasonRequired));
            }
            if self.merge_one(&environment, &id).await.is_err() {
                let policy = self.inner.environments.state(&environment)?.records.policy();
                if policy.second_person.contains(&GuardedOperation::Restore) {
                    return Err(CommitError::Store(StoreFailure::Unavailable(NEEDS_THE_STORE.to_owned())));
                }
                return self.withdraw(&environment, &id).await.map(RestoreOutcome::Withdrawn);
            }
        }
        let lifted = self.inner.environments.submit(draft).await?;
        self.inner.peers.notify();
        Ok(RestoreOutcome::Committed(lifted))
    }

    /// Whether the kill is in force and not in the log yet.
    pub(crate) fn is_provisional(&self, environment: &EnvironmentKey, id: &KillId) -> Result<bool, CommitError> {
        let served = self.inner.environments.running(environment)?.publisher.served();
        Ok(served.overlay.kills.contains_key(id))
    }
}

/// A tag that no flag has is probably misspelt: a kill of it is refused, unless it is meant for later, or the tag is killed already, by
/// another kill than `own`.
pub(crate) fn check_tag(scope: &KillScope, own: Option<&KillId>, state: &EnvironmentState) -> Result<(), CommitError> {
    let KillScope::Tag(tag) = scope else { return Ok(()) };
    let is_killed = || state.snapshot.kills.values().any(|kill| kill.scope == *scope && Some(&kill.id) != own);
    if flags_with_tag(&state.snapshot, tag).next().is_some() || is_killed() {
        return Ok(());
    }
    Err(CommitError::NotFound(MissingItem::tag(tag, &state.snapshot.flags)))
}

/// The outcome of the draft of a kill.
fn killed(outcome: Outcome) -> Result<KillOutcome, CommitError> {
    if let Outcome::Replayed { recorded, .. } = outcome {
        return Ok(KillOutcome::Replayed(recorded));
    }
    let applied = outcome.applied()?;
    let killed = KillInForce::of(&applied).ok_or_else(|| CommitError::Internal("the commit of a kill contains no kill".to_owned()))?;
    Ok(KillOutcome::InForce(killed))
}
