//! Merging: provisional kills enter the log as soon as the store can take them. Safest wins: an id enters at most once, two kills
//! of one scope both enter, and a withdrawn id is recorded as ended so that no other node can add it later.

use std::time::Duration;

use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::{EnvironmentKey, KillId};
use tokio_util::sync::CancellationToken;

use super::service::Kills;
use crate::commit::committer::{OnDisconnect, Queue};
use crate::commit::{Approval, Author, CommitError, Draft, MissingItem, Operation, Renderer, StoreFailure};
use crate::environment::Environments;
use crate::peer::Peers;
use crate::snapshot::overlay;
use crate::store::StoreState;
use crate::store::journal::{Journal, JournalRecord, PendingKill};
use crate::system::{SystemDraft, SystemOperation};

/// How often merging is tried while kills are pending and the store seems available.
const EVERY: Duration = Duration::from_millis(500);
/// How long one merge may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Writes down what the disk did not take, until `stop`.
async fn keep_journaled(kills: Kills, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        kills.write_rest().await;
    }
}

/// Merges whatever is pending until `stop`.
async fn run(kills: Kills, stop: CancellationToken) {
    let mut health = kills.inner.environments.store().health();
    loop {
        if health.borrow_and_update().state == StoreState::Available {
            for one in kills.unmerged() {
                kills.merge(one).await;
            }
            kills.merge_revocations().await;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = health.changed() => if changed.is_err() { return },
            () = kills.inner.pending.notified() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

impl Kills {
    /// Starts the kills: those in the journal are merged as soon as the store is available.
    pub fn start(environments: Environments, journal: Journal, peers: Peers, node: String) -> Self {
        let kills = Self::new(environments, journal, peers, node);
        let tasks = kills.inner.environments.tasks();
        tasks.long_lived("kill-merge", run(kills.clone(), tasks.stop_token()));
        tasks.long_lived("kill-journal", keep_journaled(kills.clone(), tasks.stop_token()));
        kills
    }

    /// Writes the kills that the disk did not take before, and those of an overlay that the journal does not know.
    async fn write_rest(&self) {
        let unknown = self.unjournaled();
        if unknown.is_empty() && !self.inner.journal.has_unwritten() {
            return;
        }
        let journal = self.inner.journal.clone();
        let written = crate::tasks::blocking(move || {
            for pending in &unknown {
                journal.hold(pending);
            }
            journal.write_rest()
        });
        match written.await {
            Ok(Ok(())) => tracing::info!("the journal has the kills that could not be written before"),
            Ok(Err(error)) => tracing::debug!(%error, "the journal of kills still cannot be written"),
            Err(_) => {}
        }
    }

    /// What the journal holds, and kills in force that it does not know.
    fn unmerged(&self) -> Vec<PendingKill> {
        let mut unmerged = self.inner.journal.pending();
        unmerged.extend(self.unjournaled());
        unmerged
    }

    /// Kills of the overlays that the journal does not know, in memory or on disk.
    fn unjournaled(&self) -> Vec<PendingKill> {
        let mut found = Vec::new();
        for (environment, overlay) in self.overlays() {
            let unknown = overlay.kills.into_values().filter(|kill| self.inner.journal.taker(&kill.id).is_none());
            found.extend(unknown.map(|kill| PendingKill {
                environment: environment.clone(),
                kill,
                node: self.inner.node.clone(),
                withdrawn: false,
                answered: None,
            }));
        }
        found
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
                self.settle(&pending.environment);
                self.journal(JournalRecord::Merged { ids: vec![pending.kill.id] }).await;
            }
            // Its environment is gone, and with it every flag that it covered. One that is not loaded yet is an error of the store.
            Err(CommitError::NotFound(MissingItem::Environment(_))) => self.journal(JournalRecord::Merged { ids: vec![pending.kill.id] }).await,
            Err(error) => tracing::debug!(kill = %pending.kill.id, %error, "a provisional kill cannot be merged into the log yet"),
        }
    }

    /// Takes what the log has settled out of the overlay: nothing else does if the log had settled it before it was put there.
    fn settle(&self, environment: &EnvironmentKey) {
        if let Ok(running) = self.inner.environments.running(environment) {
            let state = running.committer.state();
            running.publisher.overlay(|overlay| _ = overlay::settle(overlay, &state));
        }
    }

    /// Records again which keys were revoked by entries that the system log lost.
    async fn merge_revocations(&self) {
        let mut keys = self.inner.journal.revoked();
        keys.extend(self.inner.environments.system().withheld().iter().cloned());
        if keys.is_empty() {
            return;
        }
        let draft = SystemDraft {
            author: Author {
                actor: Actor::server(&self.inner.node),
                origin: Origin {
                    node: self.inner.node.clone(),
                    address: None,
                    request: None,
                },
            },
            reason: Some("revoked before the log was re-seeded without it".to_owned()),
            operations: keys.iter().cloned().map(SystemOperation::MergeRevocation).collect(),
            call: None,
            renderer: Renderer::default(),
        };
        match tokio::time::timeout(PATIENCE, self.inner.environments.submit_system(draft)).await {
            Ok(Ok(_)) => {
                let keys = keys.into_iter().collect();
                self.journal(JournalRecord::RevocationsMerged { keys }).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "revocations cannot be merged into the log yet"),
            Err(_) => {}
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

/// The draft that settles a pending kill in the log.
pub(crate) fn merge_draft(pending: &PendingKill) -> Draft {
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
