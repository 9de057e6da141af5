//! What is told, in words, for people who are woken by it.

use std::fmt::Write as _;

use jiff::Timestamp;
use ripcord_proto::FiringId;
use ripcord_proto::duration::HumanDuration;
use ripcord_proto::trigger::{FiringEffects, TriggerAction};

use super::activation::Activation;
use super::decision::Restraint;

/// What a firing that does not act says of itself.
pub(super) fn step(activation: &Activation, step: &Restraint, would: &str) -> String {
    let (id, name) = (activation.id(), &activation.trigger.name);
    match step {
        Restraint::AskFirst => format!(
            "Waits for a person, at most {}: {would}. `ripcord trigger confirm {id}` does it, `ripcord trigger decline {id}` does not",
            activation.trigger.answer_within
        ),
        Restraint::RecordOnly => format!(
            "Recorded only, as the mode is off. It would {}. `ripcord trigger show {name}` tells more",
            activation.trigger.action
        ),
        Restraint::DryRun => format!("Dry run, nothing was changed: {would}"),
        Restraint::Suppress(why) => format!("Nothing was done: {why}. `ripcord trigger confirm {id}` does it all the same"),
    }
}

/// What a kill says of itself.
pub(super) fn killed(flags: &[String], effects: &FiringEffects, failed: &[String]) -> String {
    let mut says = if flags.is_empty() {
        "No flag was killed".to_owned()
    } else {
        format!("Killed {}", flags.join(", "))
    };
    if effects.provisional {
        says.push_str(", provisionally: the store is away, and the kill goes into the log when it is back");
    }
    if !failed.is_empty() {
        says.push_str(". Not killed: ");
        says.push_str(&failed.join("; "));
    }
    if let Some(kill) = effects.kills.first() {
        // Writing to a String cannot fail.
        let _ = write!(says, ". When it is mended: `ripcord restore {kill} --reason \"…\"`");
    }
    says
}

/// Flags that were killed because they could not go back.
pub(super) fn killed_instead(killed: &str, why: &str) -> String {
    format!("{killed}. It was to roll back, and the store is away ({why}): what was to go back serves its safe variant meanwhile")
}

/// A rollback that was committed.
pub(super) fn rolled_back(id: &ripcord_proto::RollbackId, flags: usize, target: &str) -> String {
    let flags = self::flags(flags);
    format!("Rolled back {flags} to {target}. `ripcord rollback show {id}` tells who has confirmed it")
}

/// `1 flag`, `2 flags`.
pub(super) fn flags(count: usize) -> String {
    if count == 1 { "1 flag".to_owned() } else { format!("{count} flags") }
}

/// A hold.
pub(super) fn held(rollouts: usize) -> String {
    match rollouts {
        0 => "No rollout was live, so none was held".to_owned(),
        1 => "Held 1 rollout. `ripcord rollout list` shows it; resume or roll it back".to_owned(),
        more => format!("Held {more} rollouts. `ripcord rollout list` shows them; resume or roll them back"),
    }
}

/// A rollback that was refused, and became a hold.
pub(super) fn held_instead(why: &str, held: &str) -> String {
    let why = why.trim_end_matches('.');
    format!("It could not {why}. {held}. A person has to decide: `ripcord rollback plan` shows what stands in the way")
}

/// What is done later, because the store is away.
pub(super) fn later(says: &str) -> String {
    format!("{says}. The store is away: this is recorded when it is back")
}

/// A question that a person answered with no.
pub(super) fn declined(by: &str, reason: Option<&str>, age: HumanDuration) -> String {
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{by} declined it after {age}{reason}. Nothing was done")
}

/// A resolve whose firing was not seen.
pub(super) fn ended_unbegun(at: Timestamp) -> String {
    format!("It was told that it ended at {at} before it was told that it began; a firing that is older is not acted on")
}

/// What was counted once more.
pub(super) fn repeat(id: &FiringId) -> String {
    format!("This incident is known: it was counted, and nothing else was done. `ripcord trigger firings` shows {id}")
}

/// What an action would do, where it cannot be told in detail.
pub(super) fn would(action: &TriggerAction, detail: &str) -> String {
    format!("it would {action}{detail}")
}
