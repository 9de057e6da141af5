//! The commits of a rollout. Everything is decided on the state that the commit is admitted on: a step is taken from
//! exactly the record and the split that it was decided for, or not at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use ripcord_proto::actor::Actor;
use ripcord_proto::diff::UserShare;
use ripcord_proto::digest::Digest;
use ripcord_proto::proposal::ProposedOperation;
use ripcord_proto::record::RecordKey;
use ripcord_proto::rollback::{Rollback, RollbackScope, RollbackTarget};
use ripcord_proto::rollout::{Rollout, RolloutState};
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Position, ReleaseName, RollbackId, RolloutId, ValidationErrors, limits};

use super::messages;
use super::step;
use super::transition::{self, StepObservations};
use crate::clock::new_id;
use crate::commit::state::EnvironmentState;
use crate::commit::{Approval, Author, CommitError, Draft, Expected, GuardRefusal, MissingItem, Operation, Precheck, StateConflict, probes};
use crate::leader::LeaderToken;

/// A rollout as it was when something was decided for it.
#[derive(Debug, Clone)]
pub(super) struct ObservedRollout {
    pub(super) entry: Arc<Entry<Rollout>>,
    pub(super) observed: StepObservations,
}

/// The effect of a step on users, measured before it is committed.
#[derive(Debug, Clone, Copy)]
pub(super) struct MeasuredEffect {
    /// The flag that it was measured on.
    pub(super) flag: Digest,
    pub(super) share: UserShare,
}

/// A draft of the leader.
pub(super) fn draft(environment: &EnvironmentKey, author: Author, release: Option<ReleaseName>, reason: String, operations: Vec<Operation>) -> Draft {
    Draft {
        reason: Some(reason),
        release,
        // Its plan was agreed on when it was started.
        approval: Approval::Agreed,
        ..Draft::new(environment.clone(), author, operations)
    }
}

/// Puts `next` in place of the record of `entry`, if that has not changed.
pub(super) fn put(entry: &Entry<Rollout>, next: Rollout) -> Result<Operation, CommitError> {
    put_at(next, Expected::Digest(*entry.digest()))
}

/// Puts a record.
pub(super) fn put_at(next: Rollout, expected: Expected) -> Result<Operation, CommitError> {
    Operation::put_record(next.id.clone(), next, expected)
}

/// All `members` take their next step, together.
pub(super) fn enter(token: LeaderToken, members: Vec<(ObservedRollout, Option<MeasuredEffect>)>, now: Timestamp) -> Vec<Operation> {
    let decide = move |state: &EnvironmentState| {
        let position = next_position(state);
        let mut operations = Vec::new();
        for (member, effect) in &members {
            operations.extend(step_of(state, (member, *effect), position, now)?);
        }
        Ok(operations)
    };
    vec![token.check(), Operation::decide(decide)]
}

fn step_of(
    state: &EnvironmentState,
    (member, effect): (&ObservedRollout, Option<MeasuredEffect>),
    position: Position,
    now: Timestamp,
) -> Result<Vec<Operation>, CommitError> {
    let rollout = current(state, member)?;
    let key = &rollout.plan.flag;
    let moved_on = || CommitError::Conflict(StateConflict::RecordMoved(RecordKey::Rollout(rollout.id.clone())));
    if state.snapshot.kills_of(key.as_str()).next().is_some() {
        return Err(moved_on());
    }
    let entry = state.snapshot.flags.get(key.as_str());
    let (entry, flag) = entry
        .and_then(|entry| Some((entry, entry.value().ok()?)))
        .ok_or_else(|| CommitError::NotFound(MissingItem::flag(key, &state.snapshot.flags)))?;
    if rollout.moved.as_ref().is_some_and(|moved| step::untouched(flag, moved).is_err()) {
        return Err(moved_on());
    }
    let made =
        step::take(&rollout.plan, rollout.step + 1, flag, rollout.moved.as_ref()).map_err(|refused| CommitError::from(ValidationErrors::from(refused)))?;
    let position = Some(position).filter(|_| made.flag != *flag);
    let mut next = transition::entered(rollout, &member.observed, made.moved, position, now);
    next.before.get_or_insert_with(|| target(state));
    if let Some(effect) = effect.filter(|effect| effect.flag == *entry.digest()) {
        next.changed = Some(effect.share);
        next.reason = messages::holding(&next, next.plan.hold(next.step));
    }
    Ok(vec![Operation::PutFlag(key.clone(), Box::new(made.flag)), put(&member.entry, next)?])
}

/// Rolls back what `members` moved, and only that, ahead of everything that is queued. If that changes a flag, a rollback is
/// recorded in the same commit, which then is confirmed and checked like any other.
pub(super) fn roll_back(members: Vec<(ObservedRollout, String)>, by: Actor, now: Timestamp) -> Operation {
    let id = new_id(now, RollbackId::from_parts);
    let decide = move |state: &EnvironmentState| {
        let mut reversions = Vec::with_capacity(members.len());
        let mut skipped = BTreeSet::new();
        for (place, (member, reason)) in members.iter().enumerate() {
            match reversion_of(state, member, reason, now) {
                // If people have edited the flag of another member since, it stays as they left it.
                Err(CommitError::Conflict(StateConflict::WrongState { .. })) if place > 0 => {
                    skipped.extend(member.entry.value().ok().map(|rollout| rollout.plan.flag.clone()));
                }
                reversion => reversions.push(reversion?),
            }
        }
        let reason = members.first().map(|(_, reason)| reason.clone());
        let record = rollback_of(state, &reversions, &id, by.clone(), reason, now);
        let mut operations = Vec::new();
        for mut reversion in reversions {
            if record.is_some() {
                reversion.next.rollback = Some(id.clone());
                reversion.next.reason = messages::proven(&reversion.next.reason, &id);
            }
            operations.push(put(&reversion.entry, reversion.next)?);
            operations.extend(reversion.flag.map(|flag| Operation::PutFlag(flag.0, Box::new(flag.1))));
        }
        if let Some(mut record) = record {
            record.skipped = skipped;
            operations.push(Operation::put_record(id.clone(), record, Expected::Absent)?);
        }
        Ok(operations)
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

fn reversion_of(state: &EnvironmentState, member: &ObservedRollout, reason: &str, now: Timestamp) -> Result<Reversion, CommitError> {
    let rollout = current(state, member)?;
    let mut reversion = Reversion {
        entry: Arc::clone(&member.entry),
        next: transition::over(rollout, &member.observed, RolloutState::RolledBack, messages::rolled_back(reason), now),
        flag: None,
    };
    let flag = state.snapshot.flags.value(rollout.plan.flag.as_str());
    let Some((flag, moved)) = flag.zip(rollout.moved.as_ref()) else {
        return Ok(reversion);
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
    let back = step::revert(flag, moved).map_err(CommitError::from)?;
    if back != *flag {
        reversion.next.position = Some(next_position(state));
        reversion.flag = Some((rollout.plan.flag.clone(), back));
    }
    Ok(reversion)
}

/// The rollback that `reversions` make together, if they change a flag.
fn rollback_of(state: &EnvironmentState, reversions: &[Reversion], id: &RollbackId, by: Actor, reason: Option<String>, now: Timestamp) -> Option<Rollback> {
    let flags: BTreeSet<FlagKey> = reversions
        .iter()
        .filter_map(|reversion| reversion.flag.as_ref())
        .map(|(key, _)| key.clone())
        .collect();
    if flags.is_empty() {
        return None;
    }
    let scope = RollbackScope::Rollout(reversions.first()?.entry.key().clone());
    let before = reversions
        .iter()
        .filter_map(|reversion| reversion.next.before.clone())
        .min_by_key(RollbackTarget::position);
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
        let flag = flag.ok_or_else(|| CommitError::NotFound(MissingItem::flag(&rollout.plan.flag, &state.snapshot.flags)))?;
        step::rehearse(&rollout.plan, flag, &state.snapshot.segments).map_err(|refused| CommitError::from(ValidationErrors::from(refused)))?;
        let mut operations = surplus(state);
        operations.push(put_at(rollout.clone(), Expected::Absent)?);
        Ok(operations)
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
    let rollouts = state.records.rollouts.values();
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
