//! Which parts of a commit the policy guards, and what its proposal relies on.

use std::borrow::Borrow as _;
use std::collections::BTreeSet;

use ripcord_proto::FlagKey;
use ripcord_proto::change::Change;
use ripcord_proto::digest::Digest;
use ripcord_proto::policy::GuardedOperation;
use ripcord_proto::record::{Record, RecordKey};
use ripcord_proto::rollout::{Rollout, RolloutState};
use ripcord_proto::trigger::{Trigger, TriggerAction, TriggerState};

use super::super::error::CommitError;
use super::super::operation::Operation;
use super::effect::Effect;

/// Why a commit needs a second person; empty if it does not.
pub(in crate::commit) fn guarded(effect: Effect<'_>) -> Result<BTreeSet<GuardedOperation>, CommitError> {
    let policy = effect.before.records.policy();
    let mut found = BTreeSet::new();
    if policy.second_person.is_empty() {
        return Ok(found);
    }
    let back = taken_back(effect.changes);
    let rolls_back = rolls_back(effect)?;
    let edits = if rolls_back { GuardedOperation::Rollback } else { GuardedOperation::Changes };
    found.extend(rolls_back.then_some(GuardedOperation::Rollback));
    let mut loosens = false;
    for change in effect.changes {
        match change {
            Change::PutFlag(entry) if back.contains(entry.key()) => {}
            Change::PutFlag(_) | Change::DeleteFlag(_) | Change::PutSegment(_) | Change::DeleteSegment(_) | Change::PutSettings(_) => {
                found.insert(edits);
            }
            Change::Restore(id) => found.extend(effect.before.snapshot.kills.get(id.as_str()).map(|_| GuardedOperation::Restore)),
            Change::PutRecord(Record::Policy(entry)) => loosens |= entry.value().is_ok_and(|next| policy.guards_itself_against(next)),
            Change::PutRecord(Record::Ownership(_)) | Change::DeleteRecord(RecordKey::Ownership(_)) => {
                found.insert(GuardedOperation::Changes);
            }
            Change::PutRecord(Record::Rollout(entry)) => {
                let was = effect.before.records.rollouts.value(entry.key().as_str());
                let goes_on = entry.value().is_ok_and(|rollout| goes_on(was, rollout));
                found.extend(goes_on.then_some(GuardedOperation::Rollouts));
            }
            Change::PutRecord(Record::Trigger(entry)) => {
                let was = effect.before.records.triggers.value(entry.key().as_str());
                let unleashes = entry.value().is_ok_and(|trigger| unleashes(was, trigger));
                found.extend(unleashes.then_some(GuardedOperation::Rollback));
            }
            Change::PutRecord(_)
            | Change::DeleteRecord(_)
            | Change::PutKill(_)
            | Change::Ping(_)
            | Change::NewEpoch(_)
            | Change::PutEnvironment(_)
            | Change::DeleteEnvironment(_)
            | Change::PutKey(_)
            | Change::RevokeKey(_) => {}
        }
    }
    found.retain(|guarded| policy.second_person.contains(guarded));
    found.extend(loosens.then_some(GuardedOperation::Changes));
    Ok(found)
}

/// Whether it contains a rollback that has something to roll back, now or in a later step.
fn rolls_back(effect: Effect<'_>) -> Result<bool, CommitError> {
    for ask in &effect.draft.operations {
        if let Operation::Rollback(reversal) = ask
            && !reversal.decide(&effect.before.snapshot)?.is_empty()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The flags that a rollout rolls back, which limits harm.
fn taken_back(changes: &[Change]) -> BTreeSet<&FlagKey> {
    let rollouts = changes.iter().filter_map(|change| {
        let Change::PutRecord(Record::Rollout(entry)) = change else { return None };
        entry.value().ok()
    });
    let back = rollouts.filter(|rollout| rollout.state == RolloutState::RolledBack);
    back.map(|rollout| &rollout.plan.flag).collect()
}

/// Whether a rollout starts, resumes after a hold, or starts its next step early.
fn goes_on(was: Option<&Rollout>, rollout: &Rollout) -> bool {
    let Some(was) = was else { return true };
    let resumed = was.state == RolloutState::Paused && rollout.state != RolloutState::Paused && !rollout.state.is_final();
    let advanced = rollout.advance.is_some() && rollout.advance != was.advance;
    resumed || advanced
}

/// Whether a trigger may now roll back what it could not roll back before: it is new, armed, or another one in what it does. Kills and holds
/// never wait for approval, so triggers that kill or hold do not either.
fn unleashes(was: Option<&Trigger>, trigger: &Trigger) -> bool {
    if trigger.state != TriggerState::Armed || !matches!(trigger.action, TriggerAction::Rollback(_)) {
        return false;
    }
    was.is_none_or(|was| {
        let but_for_words = Trigger {
            note: trigger.note.clone(),
            by: trigger.by.clone(),
            at: trigger.at,
            ..was.clone()
        };
        but_for_words != *trigger
    })
}

/// Whether it creates a trigger.
pub(super) fn creates_trigger(effect: Effect<'_>) -> bool {
    let new =
        |change: &Change| matches!(change, Change::PutRecord(Record::Trigger(entry)) if effect.before.records.triggers.get(entry.key().as_str()).is_none());
    effect.changes.iter().any(new)
}

/// Something that a proposal relies on without changing it, or whose change affects no evaluation: its kind, its key, and how it was
/// and would be.
pub(super) type Dependency<'a> = (&'static str, &'a str, Option<Digest>, Option<String>);

/// What must still be as shown, in addition to the flags, segments and settings that the plan's hash covers.
pub(super) fn relied_on(effect: Effect<'_>) -> Vec<Dependency<'_>> {
    let snapshot = &effect.before.snapshot;
    let records = &effect.before.records;
    let flag = |key: &'_ FlagKey| snapshot.flags.get(key.as_str()).map(|entry| *entry.digest());
    let mut relied_on = Vec::new();
    for change in effect.changes {
        match change {
            Change::Restore(id) => {
                relied_on.push(("kill", id.as_str(), None, None));
                let kill = snapshot.kills.value(id.as_str());
                let covered = snapshot.flags.iter().filter(|entry| kill.is_some_and(|kill| kill.covers(entry.key().as_str())));
                relied_on.extend(covered.map(|entry| ("flag", entry.key().as_str(), Some(*entry.digest()), None)));
            }
            Change::PutRecord(Record::Rollout(entry)) => {
                let was = records.rollouts.value(entry.key().as_str());
                let stood = was.map(|rollout| format!("{} {}", rollout.step, rollout.state.as_str()));
                let moves = entry.value().ok().and_then(|rollout| flag(&rollout.plan.flag));
                relied_on.push(("rollout", entry.key().as_str(), moves, stood));
            }
            Change::PutRecord(Record::Policy(entry)) => {
                let was = records.digest(&RecordKey::Policy(*entry.key()));
                relied_on.push(("policy", "", was, Some(entry.digest().to_string())));
            }
            Change::PutRecord(Record::Trigger(entry)) => {
                let was = records.triggers.get(entry.key().as_str()).map(|entry| *entry.digest());
                relied_on.push(("trigger", entry.key().as_str(), was, Some(entry.digest().to_string())));
            }
            Change::PutRecord(Record::Ownership(entry)) => {
                let key: &str = entry.key().borrow();
                let was = records.claims.get(key).map(|entry| *entry.digest());
                relied_on.push(("claim", key, was, Some(entry.digest().to_string())));
            }
            Change::DeleteRecord(RecordKey::Ownership(key)) => {
                let key: &str = key.borrow();
                let was = records.claims.get(key).map(|entry| *entry.digest());
                relied_on.push(("claim", key, was, None));
            }
            Change::PutFlag(_)
            | Change::DeleteFlag(_)
            | Change::PutSegment(_)
            | Change::DeleteSegment(_)
            | Change::PutSettings(_)
            | Change::PutKill(_)
            | Change::PutRecord(_)
            | Change::DeleteRecord(_)
            | Change::Ping(_)
            | Change::NewEpoch(_)
            | Change::PutEnvironment(_)
            | Change::DeleteEnvironment(_)
            | Change::PutKey(_)
            | Change::RevokeKey(_) => {}
        }
    }
    relied_on
}
