//! One rollback, from its commit to its end, or to the moment at which nothing goes on with it by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ripcord_proto::record::RecordKey;
use ripcord_proto::rollback::{Rollback, RollbackState};
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, FlagKey, Position, RollbackId};
use tokio::sync::watch;

use super::RollbackController;
use super::verification::{self, ObservedCommit};
use crate::commit::reversal::Reversal;
use crate::commit::state::EnvironmentState;
use crate::commit::{Applied, Approval, CommitError, Draft, Expected, KilledEdit, Operation};
use crate::leader::LeaderToken;
use crate::rollback::messages;
use crate::rollback::stages::{self, NextStep};

/// How long until a store that was away is tried again.
const AWAY: Duration = Duration::from_millis(250);
/// How often a node that does not drive looks whether it should.
const ASIDE: Duration = Duration::from_secs(1);
/// How often the missing are looked for once the deadline is over.
const WATCH: Duration = Duration::from_secs(1);

/// How a rollback came to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pickup {
    /// It was committed while this node looked on.
    JustCommitted,
    /// Another process left it.
    Inherited,
}

/// Goes on with a rollback for as long as there is something to go on with, and answers with its id.
pub(super) async fn see_through(
    controller: &RollbackController,
    environment: &EnvironmentKey,
    id: RollbackId,
    found: Pickup,
    states: watch::Receiver<Arc<EnvironmentState>>,
) -> RollbackId {
    let mut procedure = Procedure {
        controller,
        environment,
        states,
        observed: ObservedCommit::new(found, controller.clock().now()),
        found,
        left_out: BTreeSet::new(),
        id,
    };
    while procedure.go_on().await == Onward::More {}
    procedure.id
}

struct Procedure<'a> {
    controller: &'a RollbackController,
    environment: &'a EnvironmentKey,
    id: RollbackId,
    states: watch::Receiver<Arc<EnvironmentState>>,
    found: Pickup,
    observed: ObservedCommit,
    /// Flags that a kill keeps as they are.
    left_out: BTreeSet<FlagKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Onward {
    More,
    Over,
}

/// What is next for a rollback.
enum NextWrite {
    /// Its record is to be this.
    Record(Box<Rollback>),
    /// It goes down one step.
    Step(Box<Reversal>),
}

/// What a record asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProcedureStage {
    /// Its newest commit is to be confirmed and checked.
    Judge,
    /// The step that was judged last is held until the next is due.
    Hold,
    /// The deadline is over and applications are missing.
    Watch,
    /// Nothing.
    Over,
}

fn stage(rollback: &Rollback) -> ProcedureStage {
    match rollback.state {
        RollbackState::Committed if stages::is_judged(rollback) && stages::remaining(rollback) > 0 => ProcedureStage::Hold,
        RollbackState::Committed => ProcedureStage::Judge,
        RollbackState::Partial => ProcedureStage::Watch,
        RollbackState::Planned | RollbackState::Confirmed | RollbackState::Failed | RollbackState::Stopped | RollbackState::Undone => ProcedureStage::Over,
    }
}

impl Procedure<'_> {
    fn entry(&self) -> Option<Arc<Entry<Rollback>>> {
        self.states.borrow().records.rollbacks.get(self.id.as_str()).map(Arc::clone)
    }

    async fn go_on(&mut self) -> Onward {
        let Some(entry) = self.entry() else { return Onward::Over };
        let Ok(rollback) = entry.value() else { return Onward::Over };
        let stage = stage(rollback);
        if stage == ProcedureStage::Over {
            return Onward::Over;
        }
        let moved = moved(self.states.clone(), &entry);
        tokio::pin!(moved);
        let Some(token) = self.controller.drivers.hold(self.environment).await else {
            // Whoever drives now may be gone when this node looks again: what was seen until then may not be all.
            self.found = Pickup::Inherited;
            let _ = tokio::time::timeout(ASIDE, moved).await;
            return Onward::More;
        };
        self.observed.reach(rollback.position(), self.found, self.controller.clock().now());
        self.found = Pickup::JustCommitted;
        let turn = tokio::select! {
            biased;
            () = &mut moved => return Onward::More,
            turn = self.turn(rollback, stage) => turn,
        };
        match turn {
            Some(NextWrite::Record(next)) => self.record(token, &entry, *next).await,
            Some(NextWrite::Step(reversal)) => self.step(token, &entry, *reversal).await,
            None => tokio::time::sleep(AWAY).await,
        }
        Onward::More
    }

    /// Waits for what is next; `None` where it cannot be said now.
    async fn turn(&self, rollback: &Rollback, stage: ProcedureStage) -> Option<NextWrite> {
        match stage {
            ProcedureStage::Judge => {
                let within = Duration::from_secs(self.policy().confirm_within_seconds());
                let limits = self.observed.limits(rollback, within, self.controller.clock().now());
                let judged = verification::judge(self.controller, self.environment, rollback, &self.observed, limits).await;
                Some(NextWrite::Record(Box::new(judged)))
            }
            ProcedureStage::Watch => {
                verification::watched(self.controller, self.environment, rollback, WATCH).await;
                let within = Duration::from_secs(self.policy().confirm_within_seconds());
                let limits = verification::VerificationWindow::from_now(within);
                let judged = verification::judge(self.controller, self.environment, rollback, &self.observed, limits).await;
                (judged.state != RollbackState::Partial).then(|| NextWrite::Record(Box::new(judged)))
            }
            ProcedureStage::Hold => {
                tokio::time::sleep_until(verification::due(rollback, self.controller.clock().now())).await;
                match stages::step(self.controller, self.environment, rollback, &self.left_out).await {
                    Ok(NextStep::Commit(reversal)) => Some(NextWrite::Step(reversal)),
                    Ok(NextStep::Impossible(why)) => Some(NextWrite::Record(Box::new(stages::cannot_step(rollback, why, self.environment)))),
                    Err(error) => {
                        tracing::warn!(env = %self.environment, rollback = %self.id, %error, "the next step cannot be worked out yet");
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

    /// Commits the record as it is from now on, if it is still the one that was looked at.
    async fn record(&mut self, token: LeaderToken, entry: &Entry<Rollback>, next: Rollback) {
        let state = next.state;
        let was = entry.value().map(|rollback| rollback.state);
        let told = next.clone();
        let Ok(put) = Entry::new(self.id.clone(), next, Position::START) else {
            return;
        };
        let put = Operation::PutRecord(Arc::new(put).into(), Expected::Digest(*entry.digest()));
        let reason = format!("rollback {}: {}", self.id, state.as_str());
        match self.submit(reason, vec![token.ask(), put], KilledEdit::Refuse).await {
            Ok(_) if was != Ok(state) => {
                tracing::info!(env = %self.environment, rollback = %self.id, state = state.as_str(), says = told.message, "rollback");
                messages::meter(self.environment, &told);
            }
            Ok(_) => {}
            Err(error) => self.not_committed(error).await,
        }
    }

    /// Commits a step, if the record is still the one that was looked at.
    async fn step(&mut self, token: LeaderToken, entry: &Arc<Entry<Rollback>>, reversal: Reversal) {
        let record = reversal.record.clone();
        let served = if record.latitude.allow_killed_edit {
            KilledEdit::Accept
        } else {
            KilledEdit::Refuse
        };
        let reason = format!("rollback {}: {}", self.id, stages::step_in_words(&record));
        let Ok(rollback) = entry.value() else { return };
        // Putting the record as it is changes nothing, and refuses where it is another one by now.
        let unmoved = Operation::PutRecord(Arc::clone(entry).into(), Expected::Digest(*entry.digest()));
        let asks = vec![token.ask(), unmoved, Operation::Rollback(Box::new(reversal))];
        match self.submit(reason, asks, served).await {
            Ok(committed) => {
                let (revision, step) = (committed.position.revision.0, stages::step_in_words(&record));
                tracing::info!(env = %self.environment, rollback = %self.id, revision, step, "a rollback went down one step");
            }
            // A kill stands in the way of one flag: the ladder goes on with the rest.
            Err(CommitError::Killed { flag, .. }) => drop(self.left_out.insert(flag)),
            Err(
                error @ (CommitError::Refused(_) | CommitError::Invalid(_) | CommitError::InUse { .. } | CommitError::NoFlag(_) | CommitError::NoSegment(_)),
            ) => {
                self.record(token, entry, stages::cannot_step(rollback, &error.to_string(), self.environment))
                    .await;
            }
            Err(error) => self.not_committed(error).await,
        }
    }

    async fn submit(&self, reason: String, asks: Vec<Operation>, allow_killed_edit: KilledEdit) -> Result<Applied, CommitError> {
        let draft = Draft {
            reason: Some(reason),
            killed_edit: allow_killed_edit,
            // What a rollback does to its end was agreed on when it began.
            approval: Approval::Agreed,
            ..Draft::new(self.environment.clone(), self.controller.drivers.author(), asks)
        };
        self.controller.environments.commit(draft).await
    }

    async fn not_committed(&mut self, error: CommitError) {
        let key = RecordKey::Rollback(self.id.clone());
        let has_moved = matches!(&error, CommitError::RecordMoved(moved) | CommitError::NoRecord(moved) if *moved == key);
        if matches!(error, CommitError::NotDriving) {
            self.found = Pickup::Inherited;
        } else if !has_moved {
            tracing::warn!(env = %self.environment, rollback = %self.id, %error, "what became of a rollback could not be recorded; it is tried again");
            tokio::time::sleep(AWAY).await;
        }
    }
}

/// Returns when the record is no longer this one.
async fn moved(mut states: watch::Receiver<Arc<EnvironmentState>>, entry: &Entry<Rollback>) {
    let id = entry.key();
    let is_other = |state: &Arc<EnvironmentState>| state.records.rollbacks.get(id.as_str()).is_none_or(|now| now.digest() != entry.digest());
    // Where the environment goes, the procedure is dropped with it.
    let _ = states.wait_for(is_other).await;
}
