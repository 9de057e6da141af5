//! The commits of a rollout. Everything is decided on the state that the commit is admitted on: a step is taken from
//! exactly the record and the split that it was decided for, or not at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use rand::random;
use ripcord_proto::actor::Actor;
use ripcord_proto::proposal::ProposedOperation;
use ripcord_proto::record::RecordKey;
use ripcord_proto::rollback::{Rollback, RollbackScope, RollbackTarget};
use ripcord_proto::rollout::{Rollout, RolloutState};
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Position, ReleaseName, RollbackId, RolloutId, ValidationErrors, limits};

use super::messages;
use super::step;
use super::transition::{self, StepObservations};
use crate::commit::state::EnvironmentState;
use crate::commit::{Approval, Author, CommitError, Draft, Expected, GuardRefusal, MissingItem, Operation, Precheck, StateConflict, probes};
use crate::leader::LeaderToken;

/// A rollout as it was when something was decided for it.
#[derive(Debug, Clone)]
pub(super) struct ObservedRollout {
    pub(super) entry: Arc<Entry<Rollout>>,
    pub(super) observed: StepObservations,
}

/// A draft of the node that drives.
pub(super) fn draft(environment: &EnvironmentKey, author: Author, release: Option<ReleaseName>, reason: String, asks: Vec<Operation>) -> Draft {
    Draft {
        reason: Some(reason),
        release,
        // Its plan was agreed on when it was started.
        approval: Approval::Agreed,
        ..Draft::new(environment.clone(), author, asks)
    }
}

/// Puts `next` in place of the record of `entry`, if that has not changed.
pub(super) fn put(entry: &Entry<Rollout>, next: Rollout) -> Result<Operation, CommitError> {
    put_at(next, Expected::Digest(*entry.digest()))
}

/// Puts a record.
pub(super) fn put_at(next: Rollout, expected: Expected) -> Result<Operation, CommitError> {
    let entry = Entry::new(next.id.clone(), next, Position::START).map_err(|error| CommitError::Internal(error.to_string()))?;
    Ok(Operation::PutRecord(Arc::new(entry).into(), expected))
}

/// All `members` take their next step, together.
pub(super) fn enter(token: LeaderToken, members: Vec<ObservedRollout>, now: Timestamp) -> Vec<Operation> {
    let decide = move |state: &EnvironmentState| {
        let position = next_position(state);
        let mut asks = Vec::new();
        for member in &members {
            asks.extend(step_of(state, member, position, now)?);
        }
        Ok(asks)
    };
    vec![token.ask(), Operation::decide(decide)]
}

fn step_of(state: &EnvironmentState, member: &ObservedRollout, position: Position, now: Timestamp) -> Result<Vec<Operation>, CommitError> {
    let rollout = current(state, member)?;
    let key = &rollout.plan.flag;
    let moved_on = || CommitError::Conflict(StateConflict::RecordMoved(RecordKey::Rollout(rollout.id.clone())));
    if state.snapshot.kills_of(key.as_str()).next().is_some() {
        return Err(moved_on());
    }
    let flag = state
        .snapshot
        .flags
        .value(key.as_str())
        .ok_or_else(|| CommitError::NotFound(MissingItem::Flag(key.clone())))?;
    if rollout.moved.as_ref().is_some_and(|moved| step::untouched(flag, moved).is_err()) {
        return Err(moved_on());
    }
    let made =
        step::take(&rollout.plan, rollout.step + 1, flag, rollout.moved.as_ref()).map_err(|refused| CommitError::from(ValidationErrors::from(refused)))?;
    let position = Some(position).filter(|_| made.flag != *flag);
    let mut next = transition::entered(rollout, &member.observed, made.moved, position, now);
    next.before.get_or_insert_with(|| target(state));
    Ok(vec![Operation::PutFlag(key.clone(), Box::new(made.flag)), put(&member.entry, next)?])
}

/// Rolls back what `members` moved, and only that, ahead of everything that is queued. If that changes a flag, a rollback is
/// recorded in the same commit, which then is confirmed and checked like any other.
pub(super) fn take_back(members: Vec<(ObservedRollout, String)>, by: Actor, now: Timestamp) -> Operation {
    let id = RollbackId::from_parts(u64::try_from(now.as_millisecond()).unwrap_or_default(), random());
    let decide = move |state: &EnvironmentState| {
        let mut ways = Vec::with_capacity(members.len());
        for (place, (member, reason)) in members.iter().enumerate() {
            match way_back(state, member, reason, now) {
                // If people have edited the flag of another member since, it stays as they left it.
                Err(CommitError::Conflict(StateConflict::WrongState { .. })) if place > 0 => {}
                way => ways.push(way?),
            }
        }
        let reason = members.first().map(|(_, reason)| reason.clone());
        let record = rollback_of(state, &ways, &id, by.clone(), reason, now);
        let mut asks = Vec::new();
        for mut way in ways {
            if record.is_some() {
                way.next.rollback = Some(id.clone());
                way.next.reason = messages::proven(&way.next.reason, &id);
            }
            asks.push(put(&way.entry, way.next)?);
            asks.extend(way.flag.map(|flag| Operation::PutFlag(flag.0, Box::new(flag.1))));
        }
        if let Some(record) = record {
            let entry = Entry::new(id.clone(), record, Position::START).map_err(|error| CommitError::Internal(error.to_string()))?;
            asks.push(Operation::PutRecord(Arc::new(entry).into(), Expected::Absent));
        }
        Ok(asks)
    };
    Operation::DecideNow(Precheck::new(decide))
}

/// How one rollout is rolled back.
struct Reversion {
    entry: Arc<Entry<Rollout>>,
    next: Rollout,
    /// The flag afterwards, if it changes.
    flag: Option<(FlagKey, Flag)>,
}

fn way_back(state: &EnvironmentState, member: &ObservedRollout, reason: &str, now: Timestamp) -> Result<Reversion, CommitError> {
    let rollout = current(state, member)?;
    let mut way = Reversion {
        entry: Arc::clone(&member.entry),
        next: transition::over(rollout, &member.observed, RolloutState::RolledBack, messages::taken_back(reason), now),
        flag: None,
    };
    let flag = state.snapshot.flags.value(rollout.plan.flag.as_str());
    let Some((flag, moved)) = flag.zip(rollout.moved.as_ref()) else {
        return Ok(way);
    };
    if let Err(what) = step::untouched(flag, moved) {
        return Err(CommitError::Conflict(StateConflict::WrongState {
            what: format!("rollout {}", rollout.id),
            state: rollout.state.as_str(),
            why: format!("{what} since, and rolling back would undo that too; edit the flag, or roll back to a checkpoint with `ripcord rollback`"),
        }));
    }
    if let Some(door) = step::door(&rollout.plan, flag) {
        return Err(messages::one_way(rollout, door).into());
    }
    let back = step::take_back(flag, moved).map_err(CommitError::from)?;
    if back != *flag {
        way.next.position = Some(next_position(state));
        way.flag = Some((rollout.plan.flag.clone(), back));
    }
    Ok(way)
}

/// The rollback that `ways` make together, if they change a flag.
fn rollback_of(state: &EnvironmentState, ways: &[Reversion], id: &RollbackId, by: Actor, reason: Option<String>, now: Timestamp) -> Option<Rollback> {
    let flags: BTreeSet<FlagKey> = ways.iter().filter_map(|way| way.flag.as_ref()).map(|(key, _)| key.clone()).collect();
    if flags.is_empty() {
        return None;
    }
    let scope = RollbackScope::Rollout(ways.first()?.entry.key().clone());
    let before = ways.iter().filter_map(|way| way.next.before.clone()).min_by_key(RollbackTarget::position);
    let target = before.unwrap_or_else(|| target(state));
    let (position, review) = (next_position(state), state.records.policy().review_within_seconds());
    let probes = probes::of(&flags, &scope, [&state.snapshot, &state.snapshot], &state.records);
    Some(Rollback {
        reason,
        revision: position.revision,
        epoch: position.epoch,
        flags,
        probes,
        ..Rollback::begun(id.clone(), scope, target, state.head.position(), by, now, review)
    })
}

/// The current state, as one to roll back to.
fn target(state: &EnvironmentState) -> RollbackTarget {
    let position = state.head.position();
    RollbackTarget {
        epoch: position.epoch,
        revision: position.revision,
        hash: state.hash,
        checkpoint: None,
    }
}

/// A new rollout, unless another one moves its flag already.
pub(super) fn begin(rollout: Rollout) -> Operation {
    let kept = ProposedOperation::StartRollout(Box::new(rollout.clone()));
    let decide = move |state: &EnvironmentState| {
        if let Some(other) = live_on(state, &rollout.plan.flag) {
            return Err(CommitError::Conflict(StateConflict::InUse {
                what: format!("flag {}", rollout.plan.flag),
                by: format!(
                    "rollout {0}, which is still active; end it without changing exposure with `ripcord rollout abort {0}`",
                    other.id
                ),
            }));
        }
        if let Some(kill) = state.snapshot.kills_of(rollout.plan.flag.as_str()).next() {
            return Err(CommitError::Guard(GuardRefusal::Killed {
                flag: rollout.plan.flag.clone(),
                kill: Box::new(kill.clone()),
                why: "a rollout cannot start on a killed flag. Lift the kill first",
            }));
        }
        let flag = state.snapshot.flags.value(rollout.plan.flag.as_str());
        let flag = flag.ok_or_else(|| CommitError::NotFound(MissingItem::Flag(rollout.plan.flag.clone())))?;
        step::rehearse(&rollout.plan, flag).map_err(|refused| CommitError::from(ValidationErrors::from(refused)))?;
        let mut asks = surplus(state);
        asks.push(put_at(rollout.clone(), Expected::Absent)?);
        Ok(asks)
    };
    Operation::Decide(Precheck::new(decide).kept_as(kept))
}

/// Removes the oldest ended rollouts beyond those that are kept. One whose release others are still bound to
/// stays, since it is rolled back with them.
fn surplus(state: &EnvironmentState) -> Vec<Operation> {
    let rollouts = || state.records.rollouts.iter().filter_map(|entry| Some((entry, entry.value().ok()?)));
    let live: Vec<&ReleaseName> = rollouts()
        .filter(|(_, rollout)| !rollout.state.is_final())
        .filter_map(|(_, rollout)| rollout.plan.release.as_ref())
        .collect();
    let is_bound = |rollout: &Rollout| rollout.plan.release.as_ref().is_some_and(|release| live.contains(&release));
    let over: Vec<_> = rollouts().filter(|(_, rollout)| rollout.state.is_final()).collect();
    let oldest = over.iter().take(over.len().saturating_sub(limits::ROLLOUTS_KEPT));
    let gone = oldest.filter(|(_, rollout)| !is_bound(rollout));
    gone.map(|(entry, rollout)| Operation::DeleteRecord(RecordKey::Rollout(rollout.id.clone()), Expected::Digest(*entry.digest())))
        .collect()
}

/// The rollout that moves a flag.
pub(super) fn live_on<'s>(state: &'s EnvironmentState, flag: &FlagKey) -> Option<&'s Rollout> {
    let rollouts = state.records.rollouts.iter().filter_map(|entry| entry.value().ok());
    let mut live = rollouts.filter(|rollout| !rollout.state.is_final());
    live.find(|rollout| rollout.plan.flag == *flag)
}

/// The rollouts that move and are rolled back with `rollout`: those of its release that are not over, and those that were completed.
pub(super) fn bound<'s>(state: &'s EnvironmentState, rollout: &'s Rollout) -> impl Iterator<Item = &'s Arc<Entry<Rollout>>> {
    let is_bound = |other: &Rollout| {
        let live = !other.state.is_final() || other.state == RolloutState::Completed;
        live && other.id != rollout.id && other.plan.release == rollout.plan.release
    };
    // Most are of no release, and a thousand of them step at once: those do not look at all the others.
    let others = rollout.plan.release.as_ref().map(|_| state.records.rollouts.iter());
    others.into_iter().flatten().filter(move |entry| entry.value().is_ok_and(is_bound))
}

/// Whether commits can still join a release.
pub(super) fn is_open(state: &EnvironmentState, name: &ReleaseName) -> bool {
    let release = state.records.releases.value(name.as_str());
    release.is_some_and(|release| release.finished.is_none())
}

/// The record of `id`, if it exists and can be read.
pub(super) fn entry_of<'s>(state: &'s EnvironmentState, id: &RolloutId) -> Option<(&'s Arc<Entry<Rollout>>, &'s Rollout)> {
    let entry = state.records.rollouts.get(id.as_str())?;
    Some((entry, entry.value().ok()?))
}

/// The record of a member, if it still is what it was.
fn current<'s>(state: &'s EnvironmentState, member: &ObservedRollout) -> Result<&'s Rollout, CommitError> {
    let id = member.entry.key();
    match entry_of(state, id) {
        Some((entry, rollout)) if entry.digest() == member.entry.digest() => Ok(rollout),
        Some(_) => Err(CommitError::Conflict(StateConflict::RecordMoved(RecordKey::Rollout(id.clone())))),
        None => Err(CommitError::NotFound(MissingItem::Record(RecordKey::Rollout(id.clone())))),
    }
}

/// Where the commit that is being decided will stand, if it changes what flags answer.
fn next_position(state: &EnvironmentState) -> Position {
    let mut position = state.head.position();
    position.revision = position.revision.next();
    position
}
