//! What a rollout asks of the commit path. Everything is decided on the state that the commit is admitted on: a step is taken from
//! exactly the record and the split that it was decided for, or not at all.

use std::sync::Arc;

use jiff::Timestamp;
use ripcord_proto::proposal::Asked;
use ripcord_proto::record::RecordKey;
use ripcord_proto::rollout::{Rollout, RolloutState};
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, Faults, FlagKey, Position, ReleaseName, RolloutId};

use super::says;
use super::step;
use super::transition::{self, Seen};
use crate::commit::state::EnvironmentState;
use crate::commit::{Approval, Ask, Author, CommitError, Decider, Draft, Expected};
use crate::driver::Token;

/// A rollout as it was when something was decided for it.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) entry: Arc<Entry<Rollout>>,
    pub(super) seen: Seen,
}

/// A draft of the node that drives.
pub(super) fn draft(environment: &EnvironmentKey, author: Author, release: Option<ReleaseName>, reason: String, asks: Vec<Ask>) -> Draft {
    Draft {
        reason: Some(reason),
        release,
        // Its plan was agreed on when it was started.
        approval: Approval::Agreed,
        ..Draft::new(environment.clone(), author, asks)
    }
}

/// The record of `entry` shall be `next`, if it still is what it was.
pub(super) fn put(entry: &Entry<Rollout>, next: Rollout) -> Result<Ask, CommitError> {
    put_at(next, Expected::Digest(*entry.digest()))
}

/// A record shall be so.
pub(super) fn put_at(next: Rollout, expected: Expected) -> Result<Ask, CommitError> {
    let entry = Entry::new(next.id.clone(), next, Position::START).map_err(|error| CommitError::Internal(error.to_string()))?;
    Ok(Ask::PutRecord(Arc::new(entry).into(), expected))
}

/// All `members` take their next step, together.
pub(super) fn enter(token: Token, members: Vec<Member>, now: Timestamp) -> Vec<Ask> {
    let decide = move |state: &EnvironmentState| {
        let position = next_position(state);
        let mut asks = Vec::new();
        for member in &members {
            asks.extend(step_of(state, member, position, now)?);
        }
        Ok(asks)
    };
    vec![token.ask(), Ask::decide(decide)]
}

fn step_of(state: &EnvironmentState, member: &Member, position: Position, now: Timestamp) -> Result<Vec<Ask>, CommitError> {
    let rollout = current(state, member)?;
    let key = &rollout.plan.flag;
    let moved_on = || CommitError::RecordMoved(RecordKey::Rollout(rollout.id.clone()));
    if state.snapshot.kills_of(key.as_str()).next().is_some() {
        return Err(moved_on());
    }
    let flag = state.snapshot.flags.value(key.as_str()).ok_or_else(|| CommitError::NoFlag(key.clone()))?;
    if rollout.moved.as_ref().is_some_and(|moved| step::untouched(flag, moved).is_err()) {
        return Err(moved_on());
    }
    let made = step::take(&rollout.plan, rollout.step + 1, flag, rollout.moved.as_ref()).map_err(|refused| CommitError::Invalid(refused.into()))?;
    let position = Some(position).filter(|_| made.flag != *flag);
    let next = transition::entered(rollout, &member.seen, made.moved, position, now);
    Ok(vec![Ask::PutFlag(key.clone(), Box::new(made.flag)), put(&member.entry, next)?])
}

/// What `members` moved goes back, and only that, ahead of everything that is queued.
pub(super) fn take_back(members: Vec<(Member, String)>, now: Timestamp) -> Ask {
    let decide = move |state: &EnvironmentState| {
        let position = next_position(state);
        let mut asks = Vec::new();
        for (place, (member, reason)) in members.iter().enumerate() {
            match back_of(state, member, reason, position, now) {
                // Of those that go along, one that people have edited since stays as they left it.
                Err(CommitError::WrongState { .. }) if place > 0 => {}
                back => asks.extend(back?),
            }
        }
        Ok(asks)
    };
    Ask::DecideNow(Decider::new(decide))
}

fn back_of(state: &EnvironmentState, member: &Member, reason: &str, position: Position, now: Timestamp) -> Result<Vec<Ask>, CommitError> {
    let rollout = current(state, member)?;
    let mut next = transition::over(rollout, &member.seen, RolloutState::RolledBack, says::taken_back(reason), now);
    let flag = state.snapshot.flags.value(rollout.plan.flag.as_str());
    let Some((flag, moved)) = flag.zip(rollout.moved.as_ref()) else {
        return Ok(vec![put(&member.entry, next)?]);
    };
    if let Err(what) = step::untouched(flag, moved) {
        return Err(CommitError::WrongState {
            what: format!("rollout {}", rollout.id),
            state: rollout.state.as_str(),
            why: format!("{what} since, and going back would undo that too; edit the flag, or go back to a checkpoint with `ripcord rollback`"),
        });
    }
    let back = step::take_back(flag, moved).map_err(CommitError::Invalid)?;
    next.position = Some(position);
    Ok(vec![Ask::PutFlag(rollout.plan.flag.clone(), Box::new(back)), put(&member.entry, next)?])
}

/// A new rollout, unless another one moves its flag already.
pub(super) fn begin(rollout: Rollout) -> Ask {
    let kept = Asked::StartRollout(Box::new(rollout.clone()));
    let decide = move |state: &EnvironmentState| {
        if let Some(other) = live_on(state, &rollout.plan.flag) {
            return Err(CommitError::InUse {
                what: format!("flag {}", rollout.plan.flag),
                by: format!("rollout {0} already; `ripcord rollout abort {0}` ends it where it is", other.id),
            });
        }
        if let Some(kill) = state.snapshot.kills_of(rollout.plan.flag.as_str()).next() {
            return Err(CommitError::Killed {
                flag: rollout.plan.flag.clone(),
                kill: Box::new(kill.clone()),
                why: "no rollout starts on a killed flag. Restore the kill first",
            });
        }
        let flag = state.snapshot.flags.value(rollout.plan.flag.as_str());
        let flag = flag.ok_or_else(|| CommitError::NoFlag(rollout.plan.flag.clone()))?;
        step::rehearse(&rollout.plan, flag).map_err(|refused| CommitError::Invalid(Faults::from(refused)))?;
        Ok(vec![put_at(rollout.clone(), Expected::Absent)?])
    };
    Ask::Decide(Decider::new(decide).kept_as(kept))
}

/// The rollout that moves a flag.
pub(super) fn live_on<'s>(state: &'s EnvironmentState, flag: &FlagKey) -> Option<&'s Rollout> {
    let rollouts = state.records.rollouts.iter().filter_map(|entry| entry.value().ok());
    let mut live = rollouts.filter(|rollout| !rollout.state.is_final());
    live.find(|rollout| rollout.plan.flag == *flag)
}

/// The rollouts that move and go back with `rollout`: those of its release that are not over, and those that were completed.
pub(super) fn bound<'s>(state: &'s EnvironmentState, rollout: &'s Rollout) -> impl Iterator<Item = &'s Arc<Entry<Rollout>>> {
    let is_bound = |other: &Rollout| {
        let live = !other.state.is_final() || other.state == RolloutState::Completed;
        live && other.id != rollout.id && other.plan.release.is_some() && other.plan.release == rollout.plan.release
    };
    state.records.rollouts.iter().filter(move |entry| entry.value().is_ok_and(is_bound))
}

/// The record of `id`, where it is there and can be read.
pub(super) fn entry_of<'s>(state: &'s EnvironmentState, id: &RolloutId) -> Option<(&'s Arc<Entry<Rollout>>, &'s Rollout)> {
    let entry = state.records.rollouts.get(id.as_str())?;
    Some((entry, entry.value().ok()?))
}

/// The record of a member, if it still is what it was.
fn current<'s>(state: &'s EnvironmentState, member: &Member) -> Result<&'s Rollout, CommitError> {
    let id = member.entry.key();
    match entry_of(state, id) {
        Some((entry, rollout)) if entry.digest() == member.entry.digest() => Ok(rollout),
        Some(_) => Err(CommitError::RecordMoved(RecordKey::Rollout(id.clone()))),
        None => Err(CommitError::NoRecord(RecordKey::Rollout(id.clone()))),
    }
}

/// Where the commit that is being decided will stand, if it changes what flags answer.
fn next_position(state: &EnvironmentState) -> Position {
    let mut position = state.head.position();
    position.revision = position.revision.next();
    position
}
