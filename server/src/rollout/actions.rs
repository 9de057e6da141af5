//! What people and pipelines do to a rollout: start, pause, resume, approve a step, abort (exposure stays) or roll back.
//! Each is a change of the record, from which the leader takes it up.

use std::sync::Arc;

use jiff::Timestamp;
use ripcord_proto::duration::HumanDuration;
use ripcord_proto::policy::Approvers;
use ripcord_proto::proposal::ProposedOperation;
use ripcord_proto::record::RecordKey;
use ripcord_proto::rollout::{Approval, Attribution, Rollout, RolloutPlan, RolloutState, WaitsFor};
use ripcord_proto::{RolloutId, ValidationErrors};

use super::commits::{self, ObservedRollout};
use super::transition::{self, StepObservations};
use super::{messages, window};
use crate::commit::state::EnvironmentState;
use crate::commit::{CommitError, MissingItem, Operation, Precheck, StateConflict};

/// An action on a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutAction {
    /// It is paused.
    Pause,
    /// It continues from where it was paused.
    Resume,
    /// Its next step starts now; approvals are still needed.
    Advance,
    /// It ends; exposure stays as it is.
    Abort,
    /// It ends; exposure is as it was before the first step.
    Rollback,
    /// The next step that needs it is approved.
    Approve,
}

/// A new rollout of a plan.
///
/// # Errors
/// This server does not know the plan's time zone.
pub fn begun(plan: RolloutPlan, id: RolloutId, word: Attribution) -> Result<Rollout, ValidationErrors> {
    if let Some(window) = &plan.window {
        window::check(window)?;
    }
    let mut rollout = Rollout {
        id,
        state: RolloutState::Scheduled,
        waits_for: None,
        reason: String::new(),
        by: word.by,
        at: word.at,
        purpose: word.reason,
        step: 0,
        since: None,
        held_ms: 0,
        entered: None,
        judged_since: None,
        advance: None,
        approvals: Vec::new(),
        moved: None,
        before: None,
        rollback: None,
        changed: None,
        gates: Vec::new(),
        past: Vec::new(),
        position: None,
        finished: None,
        plan,
    };
    rollout.reason = messages::started(&rollout);
    Ok(rollout)
}

/// Starts a rollout; refused if the flag cannot follow the plan, is killed, or already has a rollout.
pub fn start(rollout: Rollout) -> Operation {
    commits::begin(rollout)
}

/// The operation that does `act`, decided on the record that the commit finds.
pub fn operation(id: RolloutId, act: RolloutAction, word: Attribution) -> Operation {
    let kept = match act {
        RolloutAction::Resume => Some(ProposedOperation::ResumeRollout {
            rollout: id.clone(),
            word: word.clone(),
        }),
        RolloutAction::Advance => Some(ProposedOperation::AdvanceRollout {
            rollout: id.clone(),
            word: word.clone(),
        }),
        // What limits damage never waits, and an approval is a second person's already.
        RolloutAction::Pause | RolloutAction::Abort | RolloutAction::Rollback | RolloutAction::Approve => None,
    };
    let decide = move |state: &EnvironmentState| {
        let Some((entry, rollout)) = commits::entry_of(state, &id) else {
            return Err(CommitError::NotFound(MissingItem::Record(RecordKey::Rollout(id.clone()))));
        };
        let members = |why: &str| {
            let own = messages::by(&word.by, why, word.reason.as_deref());
            let bound = commits::bound(state, rollout).map(|other| (Arc::clone(other), messages::with_sibling(rollout, &own)));
            std::iter::once((Arc::clone(entry), own.clone())).chain(bound).collect::<Vec<_>>()
        };
        match act {
            RolloutAction::Pause => Ok(vec![commits::put(entry, paused(rollout, &word)?)?]),
            RolloutAction::Resume => Ok(vec![commits::put(entry, resumed(rollout, word.at)?)?]),
            RolloutAction::Advance => Ok(vec![commits::put(entry, advanced(rollout, &word)?)?]),
            RolloutAction::Approve => Ok(vec![commits::put(entry, approved(rollout, &word, state.records.policy().approvers())?)?]),
            RolloutAction::Abort => {
                check_live(rollout)?;
                let live = members("aborted it")
                    .into_iter()
                    .filter(|(entry, _)| entry.value().is_ok_and(|rollout| !rollout.state.is_final()));
                live.map(|(entry, reason)| aborted(&entry, reason, word.at)).collect()
            }
            RolloutAction::Rollback => {
                check_can_go_back(rollout)?;
                let members = members("rolled it back").into_iter().map(|(entry, reason)| {
                    let observed = observed(&entry);
                    (ObservedRollout { entry, observed }, reason)
                });
                Ok(vec![commits::roll_back(members.collect(), word.by.clone(), word.at)])
            }
        }
    };
    match act {
        RolloutAction::Rollback => Operation::DecideNow(Precheck::new(decide)),
        RolloutAction::Pause | RolloutAction::Resume | RolloutAction::Advance | RolloutAction::Abort | RolloutAction::Approve => {
            let decider = Precheck::new(decide);
            Operation::Decide(match kept {
                Some(kept) => decider.kept_as(kept),
                None => decider,
            })
        }
    }
}

/// What a record knows of its step.
fn observed(entry: &ripcord_proto::table::Entry<Rollout>) -> StepObservations {
    StepObservations {
        gates: entry.value().map(|rollout| rollout.gates.clone()).unwrap_or_default(),
        histories: Vec::new(),
    }
}

fn aborted(entry: &ripcord_proto::table::Entry<Rollout>, reason: String, now: Timestamp) -> Result<Operation, CommitError> {
    let Ok(rollout) = entry.value() else {
        return Err(CommitError::NotFound(MissingItem::Record(RecordKey::Rollout(entry.key().clone()))));
    };
    let next = transition::over(rollout, &observed(entry), RolloutState::Aborted, reason, now);
    commits::put(entry, next)
}

fn wrong(rollout: &Rollout, why: &str) -> CommitError {
    CommitError::Conflict(StateConflict::WrongState {
        what: format!("rollout {}", rollout.id),
        state: rollout.state.as_str(),
        why: why.to_owned(),
    })
}

fn check_live(rollout: &Rollout) -> Result<(), CommitError> {
    if rollout.state.is_final() {
        Err(wrong(rollout, "it has ended and cannot be changed; start a new one"))
    } else {
        Ok(())
    }
}

/// A completed or aborted rollout can still be rolled back: what it changed is restored.
fn check_can_go_back(rollout: &Rollout) -> Result<(), CommitError> {
    match rollout.state {
        RolloutState::RolledBack => Err(wrong(rollout, "its exposure was already rolled back")),
        _ if rollout.moved.is_none() && rollout.state.is_final() => Err(wrong(rollout, "it never changed anything, so there is nothing to roll back")),
        RolloutState::Scheduled
        | RolloutState::Holding
        | RolloutState::Waiting
        | RolloutState::Paused
        | RolloutState::Completed
        | RolloutState::Aborted
        | RolloutState::Failed => Ok(()),
    }
}

fn paused(rollout: &Rollout, word: &Attribution) -> Result<Rollout, CommitError> {
    check_live(rollout)?;
    if rollout.state == RolloutState::Paused {
        return Err(wrong(rollout, "it is already paused"));
    }
    let ran = rollout
        .since
        .map_or(0, |since| u64::try_from(word.at.duration_since(since).as_millis()).unwrap_or_default());
    let held = HumanDuration::from_millis(rollout.held_ms.saturating_add(ran));
    let reason = messages::held(rollout, &messages::by(&word.by, "paused it", word.reason.as_deref()));
    Ok(transition::paused(rollout, held, reason))
}

fn resumed(rollout: &Rollout, now: Timestamp) -> Result<Rollout, CommitError> {
    check_live(rollout)?;
    if rollout.state != RolloutState::Paused {
        return Err(wrong(rollout, "it is not paused. Start the next step now: `ripcord rollout advance`"));
    }
    Ok(transition::resumed(rollout, now))
}

fn advanced(rollout: &Rollout, word: &Attribution) -> Result<Rollout, CommitError> {
    check_live(rollout)?;
    let going = if rollout.state == RolloutState::Paused {
        transition::resumed(rollout, word.at)
    } else {
        rollout.clone()
    };
    Ok(Rollout {
        advance: Some(word.clone()),
        reason: messages::advanced(rollout, word),
        ..going
    })
}

/// The state of a rollout that waits for nothing.
const fn running(rollout: &Rollout) -> RolloutState {
    if rollout.step == 0 { RolloutState::Scheduled } else { RolloutState::Holding }
}

/// Approves the next step that asks for it and has no approval yet.
fn approved(rollout: &Rollout, word: &Attribution, approvers: Approvers) -> Result<Rollout, CommitError> {
    check_live(rollout)?;
    let open = |number: &u32| rollout.plan.step(*number).is_some_and(|step| step.approve.is_some()) && rollout.approval(*number).is_none();
    let Some(number) = (rollout.step + 1..=rollout.plan.last()).find(open) else {
        return Err(wrong(rollout, "none of its remaining steps needs approval"));
    };
    let least = rollout.plan.step(number).and_then(|step| step.approve);
    if least.is_some_and(|least| word.by.role < least) {
        return Err(wrong(rollout, "the step needs approval by a higher role than your key has"));
    }
    if approvers == Approvers::NotTheStarter && word.by.key == rollout.by.key {
        return Err(wrong(
            rollout,
            "the environment's policy requires approval by a key other than the one that started the rollout",
        ));
    }
    let mut next = rollout.clone();
    next.approvals.push(Approval {
        step: number,
        word: word.clone(),
    });
    if rollout.waits_for == Some(WaitsFor::Approval) {
        // The wait is over; the leader decides what comes next on this record.
        (next.state, next.waits_for) = (running(rollout), None);
        next.reason = messages::approved(rollout, number, word);
    }
    Ok(next)
}
