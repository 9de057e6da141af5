//! Messages of firings and deliveries, for people on call.

use jiff::Timestamp;
use ripcord_proto::diff::PlanConflict;
use ripcord_proto::duration::HumanDuration;
use ripcord_proto::text::{counted_len, listed};
use ripcord_proto::trigger::{FiringEffects, TriggerAction};
use ripcord_proto::{FiringId, RollbackId};

use super::activation::Activation;
use super::decision::Restraint;
use crate::commit::GuardRefusal;

/// Most flags and segments that are named.
const NAMED: usize = 5;

/// A firing that does not act.
pub(super) fn restrained(activation: &Activation, restraint: &Restraint, would: &str) -> String {
    let (id, name) = (activation.id(), &activation.trigger.name);
    match restraint {
        Restraint::AskFirst => format!(
            "Waiting for approval (expires in {}): {would}. Approve with `ripcord trigger confirm {id}`, decline with `ripcord trigger decline {id}`",
            activation.trigger.answer_within
        ),
        Restraint::RecordOnly => format!(
            "Recorded only, because the mode is off. In a different mode it would {}. See `ripcord trigger show {name}`",
            activation.trigger.action
        ),
        Restraint::DryRun => format!("Dry run, nothing was changed: {would}"),
        Restraint::Suppress(why) => format!("Nothing was done: {why}. To do it anyway: `ripcord trigger confirm {id}`"),
    }
}

/// A trigger killed flags.
pub(super) fn killed(flags: &[String], effects: &FiringEffects, failed: &[String]) -> String {
    let mut message = if flags.is_empty() {
        "No flag was killed".to_owned()
    } else {
        format!("Killed {}", flags.join(", "))
    };
    if effects.provisional {
        message.push_str(", provisionally: the store is away, and the kill is written to the log when it returns");
    }
    if !failed.is_empty() {
        message.push_str(". Not killed: ");
        message.push_str(&failed.join("; "));
    }
    match effects.kills.first() {
        Some(kill) => format!("{message}. Once fixed: `ripcord restore {kill} --reason \"…\"`"),
        None => message,
    }
}

/// Flags that were killed because they could not be rolled back.
pub(super) fn killed_instead(killed: &str, why: &str) -> String {
    format!("{killed}. A rollback was not possible because the store is away ({why}), so these flags serve their safe variant instead")
}

/// A rollback that was committed.
pub(super) fn rolled_back(id: &RollbackId, effects: &FiringEffects, target: &str) -> String {
    let (flags, kept) = (self::flags(effects.flags.len()), kept(&effects.conflicts));
    format!("Rolled back {flags} to {target}{kept}. Confirmations: `ripcord rollback show {id}`")
}

/// `; kept as they are, because others changed them: gift-cards (by ada)`.
pub(super) fn kept(conflicts: &[PlanConflict]) -> String {
    if conflicts.is_empty() {
        return String::new();
    }
    let name = |conflict: &PlanConflict| {
        let thing = match (&conflict.flag, &conflict.segment) {
            (Some(flag), _) => flag.to_string(),
            (None, Some(segment)) => format!("segment {segment}"),
            (None, None) => String::new(),
        };
        match &conflict.changed {
            Some(changed) => format!("{thing} (by {})", changed.actor.name),
            None => thing,
        }
    };
    format!("; kept as they are, because others changed them: {}", listed(conflicts.iter().map(name), NAMED))
}

/// `1 flag`, `2 flags`.
pub(super) fn flags(count: usize) -> String {
    counted_len(count, "flag", "flags")
}

/// `1 rollout`, `2 rollouts`.
pub(super) fn rollouts(count: usize) -> String {
    counted_len(count, "rollout", "rollouts")
}

/// A trigger paused rollouts.
pub(super) fn held(count: usize) -> String {
    if count == 0 {
        return "No rollout was live, so none was paused".to_owned();
    }
    format!("Paused {}. List with `ripcord rollout list`, then resume or roll back", rollouts(count))
}

/// A rollback that was refused, and became a hold.
pub(super) fn held_instead(why: &str, held: &str) -> String {
    let why = why.trim_end_matches('.');
    format!("Not possible: {why}. {held}. Manual action needed: `ripcord rollback plan` shows what is in the way")
}

/// Why a guard refuses a rollback, in short; `ripcord rollback plan` shows the details. `None` if the guard is not about rollbacks.
pub(super) const fn guarded(refusal: &GuardRefusal) -> Option<&'static str> {
    match refusal {
        GuardRefusal::RollbackInProgress(_) => Some("another rollback of these flags is in progress"),
        GuardRefusal::OneWay(_) | GuardRefusal::RolloutOneWay { .. } => Some("it would pass a one-way door, which a person has to acknowledge"),
        GuardRefusal::CannotExpress(_) => Some("rules cannot express it for one segment only"),
        GuardRefusal::EmptyScope | GuardRefusal::NothingToRollBack { .. } | GuardRefusal::OnlyConflicts(_) => Some("there is nothing to roll back"),
        GuardRefusal::Killed { .. } | GuardRefusal::Protected(_) | GuardRefusal::SecondPerson(_) | GuardRefusal::OtherOwner { .. } => None,
    }
}

/// A record that is written later, because the store is away.
pub(super) fn deferred(message: &str) -> String {
    format!("{message}. The store is away: this is recorded when it returns")
}

/// A question that a person declined.
pub(super) fn declined(by: &str, reason: Option<&str>, age: HumanDuration) -> String {
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{by} declined it after {age}{reason}. Nothing was done")
}

/// A resolve that arrived before its alert.
pub(super) fn resolved_first(at: Timestamp) -> String {
    format!("The resolve ({at}) arrived before the alert; an alert older than that is ignored")
}

/// An alert that was counted as a repeat.
pub(super) fn repeat(id: &FiringId) -> String {
    format!("Counted as a repeat of {id}, which is open; nothing else was done. See `ripcord trigger firings`")
}

/// What an action would do.
pub(super) fn would(action: &TriggerAction, detail: &str) -> String {
    format!("it would {action}{detail}")
}
