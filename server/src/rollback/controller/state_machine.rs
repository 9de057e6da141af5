//! The state machine of one rollback: from its commit until it is over, or waits for a person.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use ripcord_proto::record::RecordKey;
use ripcord_proto::rollback::{Rollback, RollbackState};
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, FlagKey, RollbackId, Snapshot};
use tokio::sync::watch;

use super::deps::RollbackDeps;
use super::metrics;
use super::next_step::{self, NextStep};
use super::verification::{self, ObservedCommit, Pickup, VerificationWindow};
use crate::commit::reversal::Reversal;
use crate::commit::state::EnvironmentState;
use crate::commit::{Applied, Approval, CommitError, Draft, Expected, GuardRefusal, KilledEdit, MissingItem, Operation, StateConflict};
use crate::leader::LeaderToken;
use crate::rollback::messages;
use crate::rollback::stages;

/// How long until a failed write is tried again.
const RETRY: Duration = Duration::from_millis(250);
/// How often a node that is not the leader tries to become it.
const FOLLOWER_POLL: Duration = Duration::from_secs(1);
/// How often missing applications are looked for after the deadline.
const WATCH: Duration = Duration::from_secs(1);

/// Follows a rollback until it is over, and answers with its id.
pub(super) async fn run(
    deps: &RollbackDeps,
    environment: &EnvironmentKey,
    id: RollbackId,
    found: Pickup,
    states: watch::Receiver<Arc<EnvironmentState>>,
) -> RollbackId {
    let mut procedure = Procedure {
        deps,
        environment,
        states,
        observed: ObservedCommit::new(found, deps.clock().now()),
        found,
        left_out: BTreeSet::new(),
        target: None,
        id,
    };
    while procedure.advance().await.is_continue() {}
    procedure.id
}

struct Procedure<'a> {
    deps: &'a RollbackDeps,
    environment: &'a EnvironmentKey,
    id: RollbackId,
    states: watch::Receiver<Arc<EnvironmentState>>,
    found: Pickup,
    observed: ObservedCommit,
    /// Flags that stay as they are because of a kill.
    left_out: BTreeSet<FlagKey>,
    /// The state to roll back to, once a step has needed it.
    target: Option<Arc<Snapshot>>,
}

/// What to write next.
enum NextWrite {
    Record(Box<Rollback>),
    /// The next step.
    Step(Box<Reversal>),
}

/// What a record needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProcedureStage {
    /// Its newest commit has to be confirmed and checked.
    Verify,
    /// The verified step is held until the next one is due.
    Hold,
    /// The deadline has passed and applications are missing.
    Watch,
    Over,
}

fn stage(rollback: &Rollback) -> ProcedureStage {
    match rollback.state {
        RollbackState::Committed if stages::is_judged(rollback) && stages::remaining(rollback) > 0 => ProcedureStage::Hold,
        RollbackState::Committed => ProcedureStage::Verify,
        RollbackState::Partial => ProcedureStage::Watch,
        RollbackState::Planned | RollbackState::Confirmed | RollbackState::Failed | RollbackState::Stopped | RollbackState::Undone => ProcedureStage::Over,
    }
}

impl Procedure<'_> {
    fn entry(&self) -> Option<Arc<Entry<Rollback>>> {
        self.states.borrow().records.rollbacks.get(self.id.as_str()).map(Arc::clone)
    }

    async fn advance(&mut self) -> ControlFlow<()> {
        let Some(entry) = self.entry() else { return ControlFlow::Break(()) };
        let Ok(rollback) = entry.value() else { return ControlFlow::Break(()) };
        let stage = stage(rollback);
        if stage == ProcedureStage::Over {
            return ControlFlow::Break(());
        }
        let moved = moved(self.states.clone(), &entry);
        tokio::pin!(moved);
        let Some(token) = self.deps.lease.hold(self.environment).await else {
            // By the time this node becomes the leader, it may have missed part of what happened.
            self.found = Pickup::Inherited;
            let _ = tokio::time::timeout(FOLLOWER_POLL, moved).await;
            return ControlFlow::Continue(());
        };
        self.observed.reach(rollback.position(), self.found, self.deps.clock().now());
        self.found = Pickup::JustCommitted;
        let write = tokio::select! {
            biased;
            () = &mut moved => return ControlFlow::Continue(()),
            write = self.next_write(rollback, stage) => write,
        };
        match write {
            Some(NextWrite::Record(next)) => self.record(token, &entry, *next).await,
            Some(NextWrite::Step(reversal)) => self.step(token, &entry, *reversal).await,
            None => tokio::time::sleep(RETRY).await,
        }
        ControlFlow::Continue(())
    }

    /// Waits for the next write; `None` if it cannot be determined now.
    async fn next_write(&mut self, rollback: &Rollback, stage: ProcedureStage) -> Option<NextWrite> {
        match stage {
            ProcedureStage::Verify => {
                let within = Duration::from_secs(self.policy().confirm_within_seconds());
                let limits = self.observed.limits(rollback, within, self.deps.clock().now());
                let judged = verification::verify(self.deps, self.environment, rollback, &self.observed, limits).await;
                Some(NextWrite::Record(Box::new(judged)))
            }
            ProcedureStage::Watch => {
                verification::all_confirmed(self.deps, self.environment, rollback, WATCH).await;
                let within = Duration::from_secs(self.policy().confirm_within_seconds());
                let limits = VerificationWindow::from_now(within);
                let judged = verification::verify(self.deps, self.environment, rollback, &self.observed, limits).await;
                (judged.state != RollbackState::Partial).then(|| NextWrite::Record(Box::new(judged)))
            }
            ProcedureStage::Hold => {
                tokio::time::sleep_until(verification::due(rollback, self.deps.clock().now())).await;
                match next_step::step(self.deps, self.environment, rollback, &self.left_out, &mut self.target).await {
                    Ok(NextStep::Commit(reversal)) => Some(NextWrite::Step(reversal)),
                    Ok(NextStep::Impossible(why)) => Some(NextWrite::Record(Box::new(next_step::cannot_step(rollback, why, self.environment)))),
                    Err(error) => {
                        tracing::warn!(env = %self.environment, rollback = %self.id, %error, "rollback step not ready; retrying");
                        None
                    }
                }
            }
            ProcedureStage::Over => None,
        }
    }

    fn policy(&self) -> ripcord_proto::policy::Policy {
        self.states.borrow().records.policy()
    }

    /// Writes the next record, if the current one is still the one that it was derived from.
    async fn record(&mut self, token: LeaderToken, entry: &Entry<Rollback>, next: Rollback) {
        let state = next.state;
        let was = entry.value().map(|rollback| rollback.state);
        let Ok(put) = Operation::put_record(self.id.clone(), next.clone(), Expected::Digest(*entry.digest())) else {
            return;
        };
        let reason = format!("rollback {}: {}", self.id, state.as_str());
        match self.submit(reason, vec![token.check(), put], KilledEdit::Refuse).await {
            Ok(_) if was != Ok(state) => {
                tracing::info!(env = %self.environment, rollback = %self.id, state = state.as_str(), message = next.message, "rollback");
                metrics::record(self.environment, &next);
            }
            Ok(_) => {}
            Err(error) => self.not_committed(error).await,
        }
    }

    /// Commits a step, if the record is still the one that it was derived from.
    async fn step(&mut self, token: LeaderToken, entry: &Arc<Entry<Rollback>>, reversal: Reversal) {
        let record = reversal.record.clone();
        let killed_edit = if record.options.allow_killed_edit {
            KilledEdit::Accept
        } else {
            KilledEdit::Refuse
        };
        let reason = format!("rollback {}: {}", self.id, messages::describe_step(&record));
        let Ok(rollback) = entry.value() else { return };
        // Writing the record unchanged makes the commit fail if it has changed.
        let unmoved = Operation::PutRecord(Arc::clone(entry).into(), Expected::Digest(*entry.digest()));
        let operations = vec![token.check(), unmoved, Operation::Rollback(Box::new(reversal))];
        match self.submit(reason, operations, killed_edit).await {
            Ok(committed) => {
                let (revision, step) = (committed.position.revision.0, messages::describe_step(&record));
                tracing::info!(env = %self.environment, rollback = %self.id, revision, step, "rollback step committed");
            }
            // A kill blocks one flag: the rest continues without it.
            Err(CommitError::Guard(GuardRefusal::Killed { flag, .. })) => drop(self.left_out.insert(flag)),
            Err(
                error @ (CommitError::Guard(_)
                | CommitError::Invalid(_)
                | CommitError::Conflict(StateConflict::InUse { .. })
                | CommitError::NotFound(MissingItem::Flag(_) | MissingItem::Segment(_))),
            ) => {
                self.record(token, entry, next_step::cannot_step(rollback, &error.to_string(), self.environment))
                    .await;
            }
            Err(error) => self.not_committed(error).await,
        }
    }

    async fn submit(&self, reason: String, operations: Vec<Operation>, allow_killed_edit: KilledEdit) -> Result<Applied, CommitError> {
        let draft = Draft {
            reason: Some(reason),
            killed_edit: allow_killed_edit,
            // A rollback was approved as a whole when it began.
            approval: Approval::Agreed,
            ..Draft::new(self.environment.clone(), self.deps.lease.author(), operations)
        };
        self.deps.environments.commit(draft).await
    }

    async fn not_committed(&mut self, error: CommitError) {
        let key = RecordKey::Rollback(self.id.clone());
        let has_moved =
            matches!(&error, CommitError::Conflict(StateConflict::RecordMoved(moved)) | CommitError::NotFound(MissingItem::Record(moved)) if *moved == key);
        if matches!(error, CommitError::Conflict(StateConflict::NotLeader)) {
            self.found = Pickup::Inherited;
        } else if !has_moved {
            tracing::warn!(env = %self.environment, rollback = %self.id, %error, "rollback record not written; retrying");
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// Returns when the record is no longer this one.
async fn moved(mut states: watch::Receiver<Arc<EnvironmentState>>, entry: &Entry<Rollback>) {
    let id = entry.key();
    let is_other = |state: &Arc<EnvironmentState>| state.records.rollbacks.get(id.as_str()).is_none_or(|now| now.digest() != entry.digest());
    // If the environment is deleted, this future is dropped with it.
    let _ = states.wait_for(is_other).await;
}
