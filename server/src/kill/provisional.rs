//! Kills without the store: journaled on disk, laid over the snapshot and sent to the peers.

use std::sync::Arc;
use std::time::Duration;

use ripcord_proto::commit::Recorded;
use ripcord_proto::frame::{KillEnd, Overlay};
use ripcord_proto::{EnvironmentKey, Kill, KillId, KillScope};

use super::exchange::{WithdrawalDecision, has_ended};
use super::order::{KillDurability, KillInForce, KillOrder, Withdrawal};
use super::service::Kills;
use crate::commit::state::flags_with_tag;
use crate::commit::{CommitError, KillStatus, MissingItem, StoreFailure};
use crate::snapshot::overlay;
use crate::snapshot::publication::Served;
use crate::store::journal::{Journal, JournalRecord};
use crate::telemetry::names;

/// How long a kill waits for its journal before it takes effect without it.
const JOURNAL_PATIENCE: Duration = Duration::from_millis(250);

impl Kills {
    /// The provisional kill of exactly this scope, if any.
    pub(super) fn provisional_of(&self, environment: &EnvironmentKey, scope: &KillScope) -> Result<Option<Kill>, CommitError> {
        let served = self.inner.environments.running(environment)?.publisher.served();
        Ok(served.overlay.kills.values().find(|kill| kill.scope == *scope).cloned())
    }

    /// An id that has ended never comes back, with the store or without it.
    pub(super) fn check_not_ended(&self, environment: &EnvironmentKey, id: &KillId) -> Result<(), CommitError> {
        let running = self.inner.environments.running(environment)?;
        match has_ended(id, &running.committer.state(), &running.publisher.served().overlay) {
            Some(_) => Err(CommitError::NotFound(MissingItem::Kill(id.clone()))),
            None => Ok(()),
        }
    }

    /// The answer for a scope that is provisionally killed already.
    pub(super) fn existing(&self, order: &KillOrder, kill: Kill) -> Result<KillInForce, CommitError> {
        let durability = if self.inner.journal.holds(&kill.id) {
            KillDurability::Journaled
        } else {
            KillDurability::Memory
        };
        let flags = kill.covered(&self.inner.environments.running(&order.environment)?.publisher.served().snapshot.flags);
        Ok(KillInForce {
            kill: Arc::new(kill),
            status: KillStatus::Existing,
            durability,
            flags,
        })
    }

    /// Takes effect on this node at once, whatever the store does.
    pub(super) async fn take_provisionally(&self, order: &KillOrder, mut kill: Kill) -> Result<KillInForce, CommitError> {
        let running = self.inner.environments.running(&order.environment)?;
        let served = running.publisher.served();
        if let KillScope::Flag(key) = &kill.scope
            && served.snapshot.flags.get(key.as_str()).is_none()
        {
            return Err(CommitError::NotFound(MissingItem::flag(key, &served.snapshot.flags)));
        }
        latch(&served, &mut kill);
        let id = kill.id.clone();
        let killed = |durability| KillInForce {
            kill: Arc::new(kill.clone()),
            status: KillStatus::New,
            durability,
            flags: kill.covered(&served.snapshot.flags),
        };
        // What the journal records has to say that it is journaled; what is remembered says what came of it.
        let recorded = |durability| {
            let call = order.call.as_ref()?;
            Some(call.record(order.renderer.render(&killed(durability))))
        };
        let durability = self.write_down(&order.environment, &kill, recorded(KillDurability::Journaled)).await;
        if let Some(recorded) = recorded(durability) {
            running.committer.answered().remember(kill.at, recorded);
        }
        running.publisher.overlay(|overlay| overlay::put(overlay, kill.clone()));
        metrics::counter!(names::PROVISIONAL_KILLS, "env" => order.environment.to_string()).increment(1);
        tracing::warn!(env = %order.environment, kill = %id, scope = %kill.scope, ?durability, "killed while the store was unavailable; the kill is provisional until it is back");
        self.inner.peers.notify();
        self.inner.pending.notify_one();
        Ok(killed(durability))
    }

    /// Journals a kill on another thread, so that a disk that hangs does not delay it. What the disk does not take now is written
    /// when it does.
    async fn write_down(&self, environment: &EnvironmentKey, kill: &Kill, answered: Option<Recorded>) -> KillDurability {
        let record = JournalRecord::Taken {
            environment: environment.clone(),
            kill: kill.clone(),
            node: self.inner.node.clone(),
            answered,
        };
        let journal = self.inner.journal.clone();
        let written = crate::tasks::blocking(move || journal.append(&record));
        match tokio::time::timeout(JOURNAL_PATIENCE, written).await {
            Ok(Ok(Ok(()))) => KillDurability::Journaled,
            Ok(Ok(Err(error))) => {
                tracing::error!(kill = %kill.id, %error, "cannot write the journal: until it can be written, a restart of this node would lose this kill");
                KillDurability::Memory
            }
            Ok(Err(_)) | Err(_) => {
                tracing::error!(kill = %kill.id, "the journal does not respond: until it does, a restart of this node may lose this kill");
                KillDurability::Memory
            }
        }
    }

    /// Withdraws a provisional kill that this node took, while the store is away. Asks the peers first: one of them may have merged
    /// the kill, or know that it has ended.
    pub(super) async fn withdraw(&self, environment: &EnvironmentKey, id: &KillId) -> Result<Withdrawal, CommitError> {
        let asked = self.ask_peers().await;
        let answers: Vec<_> = self.inner.peers.urls().iter().filter_map(|url| self.inner.peers.last(url)).collect();
        let served = self.inner.environments.running(environment)?.publisher.served();
        let own = (self.inner.node.as_str(), self.inner.environments.heads().history);
        let taker = self.inner.journal.taker(id);
        let decision = WithdrawalDecision::decide((environment, id), own, taker, &served.overlay, answers.iter().map(|answer| &**answer));
        match decision {
            WithdrawalDecision::Withdraw => {}
            WithdrawalDecision::Ended => {
                return Ok(Withdrawal { id: id.clone(), nodes: asked });
            }
            WithdrawalDecision::TakenBy(node) => {
                return Err(CommitError::Store(StoreFailure::Unavailable(format!(
                    "kill {id} was made on node {node}: restore it there, or here when the store is back"
                ))));
            }
            WithdrawalDecision::LoggedBy(node) => {
                return Err(CommitError::Store(StoreFailure::Unavailable(format!(
                    "kill {id} is in the log by now, as node {node} says: restore it there, or here when the store is back"
                ))));
            }
        }
        let record = JournalRecord::Withdrawn {
            environment: environment.clone(),
            id: id.clone(),
        };
        let journal = self.inner.journal.clone();
        let unwritten = |error: &dyn std::fmt::Display| CommitError::Internal(format!("the withdrawal cannot be saved, so the kill stays in force: {error}"));
        let written = crate::tasks::blocking(move || journal.append(&record)).await;
        written.map_err(|error| unwritten(&error))?.map_err(|error| unwritten(&error))?;
        let running = self.inner.environments.running(environment)?;
        running.publisher.overlay(|overlay| _ = overlay::end(overlay, id, KillEnd::Withdrawn));
        self.inner.pending.notify_one();
        Ok(Withdrawal {
            id: id.clone(),
            nodes: self.ask_peers().await,
        })
    }

    /// The provisional kills of every environment.
    pub(super) fn overlays(&self) -> Vec<(EnvironmentKey, Overlay)> {
        let board = self.inner.environments.board();
        let environments = board.environments().into_iter();
        environments
            .filter_map(|key| board.served(key.as_str()).map(|served| (key, (*served.overlay).clone())))
            .collect()
    }

    /// Writes a record whose loss would only make a restart do some work again. A disk that hangs is not waited for.
    pub(super) async fn journal(&self, record: JournalRecord) {
        let journal = self.inner.journal.clone();
        let written = crate::tasks::blocking(move || journal.append(&record));
        if let Ok(Ok(Err(error))) = tokio::time::timeout(JOURNAL_PATIENCE, written).await {
            tracing::error!(%error, "cannot write the journal of kills");
        }
    }
}

/// Latches a kill by tag onto the flags that carry the tag now.
fn latch(served: &Served, kill: &mut Kill) {
    if let KillScope::Tag(tag) = &kill.scope {
        kill.flags.extend(flags_with_tag(&served.snapshot, tag));
    }
}

/// The overlay of an environment at a start: the kills in the journal that the log has not settled yet.
pub fn overlay_from(journal: &Journal, environment: &EnvironmentKey) -> Overlay {
    let mut overlay = Overlay::default();
    for pending in journal.pending().into_iter().filter(|pending| pending.environment == *environment) {
        let id = pending.kill.id.clone();
        if pending.withdrawn {
            overlay.ended.insert(id, KillEnd::Withdrawn);
        } else {
            overlay.kills.insert(id, pending.kill);
        }
    }
    overlay
}
