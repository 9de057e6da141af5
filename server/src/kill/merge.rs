//! Merging: provisional kills enter the log as soon as the store can take them. Safest wins: an id enters at most once, two kills
//! of one scope both enter, and a withdrawn id is recorded as ended so that no other node can add it later.

use std::time::Duration;

use ripcord_proto::actor::Origin;
use ripcord_proto::{EnvironmentKey, KillId};
use tokio_util::sync::CancellationToken;

use super::service::Kills;
use crate::commit::committer::{OnDisconnect, Queue};
use crate::commit::{Approval, Author, CommitError, Draft, MissingItem, Operation, StoreFailure};
use crate::environment::Environments;
use crate::peer::Peers;
use crate::store::StoreState;
use crate::store::journal::{Journal, JournalRecord, PendingKill};

/// How often merging is tried while kills are pending and the store seems available.
const EVERY: Duration = Duration::from_millis(500);
/// How long one merge may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Merges whatever is pending until `stop`.
async fn run(kills: Kills, stop: CancellationToken) {
    let mut health = kills.inner.environments.store().health();
    loop {
        if health.borrow_and_update().state == StoreState::Available {
            for one in kills.unmerged() {
                kills.merge(one).await;
            }
        }
        let waiting = !kills.unmerged().is_empty();
        tokio::select! {
            () = stop.cancelled() => return,
            changed = health.changed() => if changed.is_err() { return },
            () = kills.inner.pending.notified() => {}
            () = tokio::time::sleep(EVERY), if waiting => {}
        }
    }
}

impl Kills {
    /// Starts the kills: those in the journal are merged as soon as the store is available.
    pub fn start(environments: Environments, journal: Journal, peers: Peers, node: String) -> Self {
        let kills = Self::new(environments, journal, peers, node);
        let tasks = kills.inner.environments.tasks();
        tasks.long_lived("kill-merge", run(kills.clone(), tasks.stop_token()));
        kills
    }

    /// What the journal holds, and kills in memory that could not be journaled.
    fn unmerged(&self) -> Vec<PendingKill> {
        let mut unmerged = self.inner.journal.pending();
        for (environment, overlay) in self.overlays() {
            let unwritten = overlay.kills.into_values().filter(|kill| !self.inner.journal.holds(&kill.id));
            let pending = |kill| PendingKill {
                environment: environment.clone(),
                kill,
                node: self.inner.node.clone(),
                withdrawn: false,
                answered: None,
            };
            unmerged.extend(unwritten.map(pending));
        }
        unmerged
    }

    /// Merges one provisional kill now.
    pub(super) async fn merge_one(&self, environment: &EnvironmentKey, id: &KillId) -> Result<(), CommitError> {
        let pending = self
            .unmerged()
            .into_iter()
            .find(|pending| pending.environment == *environment && pending.kill.id == *id);
        match pending {
            Some(pending) => self.submit_merge(&pending).await,
            None => Err(CommitError::NotFound(MissingItem::Kill(id.clone()))),
        }
    }

    pub(super) async fn merge(&self, pending: PendingKill) {
        match self.submit_merge(&pending).await {
            Ok(()) => {
                tracing::info!(env = %pending.environment, kill = %pending.kill.id, "a provisional kill is now settled in the log");
                self.journal(&JournalRecord::Merged { ids: vec![pending.kill.id] });
            }
            // Its environment is gone, and with it every flag that it covered. One that is not loaded yet is an error of the store.
            Err(CommitError::NotFound(MissingItem::Environment(_))) => self.journal(&JournalRecord::Merged { ids: vec![pending.kill.id] }),
            Err(error) => tracing::debug!(kill = %pending.kill.id, %error, "a provisional kill cannot be merged into the log yet"),
        }
    }

    async fn submit_merge(&self, pending: &PendingKill) -> Result<(), CommitError> {
        let running = self.inner.environments.running(&pending.environment)?;
        let submitted = running.committer.submit(merge_draft(pending), Queue::Urgent, OnDisconnect::Finish);
        match tokio::time::timeout(PATIENCE, submitted).await {
            Ok(merged) => merged.map(drop),
            Err(_) => Err(CommitError::Store(StoreFailure::OutcomeUnknown)),
        }
    }
}

fn merge_draft(pending: &PendingKill) -> Draft {
    let id = &pending.kill.id;
    let (ask, reason) = if pending.withdrawn {
        (Operation::Withdraw(id.clone()), Some("withdrawn while the store was unavailable".to_owned()))
    } else {
        (Operation::Merge(Box::new(pending.kill.clone())), pending.kill.reason.clone())
    };
    Draft {
        reason,
        answered: pending.answered.clone(),
        // Whether a withdrawal was allowed was decided when it took effect.
        approval: Approval::Agreed,
        ..Draft::new(
            pending.environment.clone(),
            Author {
                actor: pending.kill.actor.clone(),
                origin: Origin {
                    node: pending.node.clone(),
                    address: None,
                    request: None,
                },
            },
            vec![ask],
        )
    }
}
