//! Why a rollout is in its state, in words, and what can be done next.

use jiff::Timestamp;
use ripcord_proto::actor::Actor;
use ripcord_proto::diff::UserShare;
use ripcord_proto::duration::HumanDuration;
use ripcord_proto::gate::{Gate, Measure};
use ripcord_proto::one_way::OneWay;
use ripcord_proto::role::Role;
use ripcord_proto::rollback::RollbackTarget;
use ripcord_proto::rollout::{Attribution, Rollout};
use ripcord_proto::text::{counted, percent};
use ripcord_proto::{Kill, RollbackId};

use crate::commit::GuardRefusal;

/// `step 2 of 5 (10%)`.
pub(super) fn step(rollout: &Rollout, number: u32) -> String {
    let to = rollout.plan.step(number).map(|step| format!(" ({})", step.to)).unwrap_or_default();
    format!("step {number} of {}{to}", rollout.plan.last())
}

pub(super) fn started(rollout: &Rollout) -> String {
    format!("{} starts now", step(rollout, 1))
}

pub(super) fn scheduled(start: Timestamp) -> String {
    format!("the first step starts at {start}")
}

pub(super) fn holding(rollout: &Rollout, hold: HumanDuration) -> String {
    let baked = rollout.plan.bake.filter(|_| rollout.step == rollout.plan.last());
    let baked = baked.map(|bake| format!(", including {bake} of bake time")).unwrap_or_default();
    let changed = rollout.changed.as_ref().map(changed).unwrap_or_default();
    format!("{} is held for {hold}{baked}{changed}", step(rollout, rollout.step))
}

/// The effect of a step.
fn changed(users: &UserShare) -> String {
    format!(
        "; it changed what {} of {} get",
        percent(users.share, 2),
        counted(users.contexts, "simulated user", "simulated users")
    )
}

pub(super) fn samples(rollout: &Rollout, gate: &Gate, detail: &str) -> String {
    let deadline = match &gate.measure {
        Measure::Outcome(comparison) => comparison.deadline,
        Measure::Prometheus(_) | Measure::Probe { .. } => HumanDuration::ZERO,
    };
    format!(
        "gate {} has too few samples: {detail}; it fails if that is still so {deadline} after the hold. Continue without it: `ripcord rollout advance {}`",
        gate.name, rollout.id
    )
}

pub(super) fn unknown(rollout: &Rollout, gate: &str, detail: &str) -> String {
    format!(
        "gate {gate} cannot be evaluated: {detail}; holding the step until it can. Continue without it: `ripcord rollout advance {}`",
        rollout.id
    )
}

pub(super) fn approval(rollout: &Rollout, number: u32, role: Role) -> String {
    format!(
        "{} needs approval by {role}. Approve it: `ripcord rollout approve {}`",
        step(rollout, number),
        rollout.id
    )
}

/// An approval that ended a wait.
pub(super) fn approved(rollout: &Rollout, number: u32, word: &Attribution) -> String {
    let by = by(&word.by, "approved it", word.reason.as_deref());
    format!("{} starts now: {by}", step(rollout, number))
}

/// A person's request to start the next step.
pub(super) fn advanced(rollout: &Rollout, word: &Attribution) -> String {
    let by = by(&word.by, "asked for it", word.reason.as_deref());
    if rollout.step >= rollout.plan.last() {
        return format!("{} ends now: {by}", step(rollout, rollout.step));
    }
    format!("{} starts now: {by}", step(rollout, rollout.step + 1))
}

pub(super) fn window(rollout: &Rollout, number: u32, at: Timestamp) -> String {
    format!(
        "{} starts when the window opens, at {at}. Start it now: `ripcord rollout advance {}`",
        step(rollout, number),
        rollout.id
    )
}

pub(super) fn no_window(rollout: &Rollout) -> String {
    format!(
        "the window's time zone is unknown to this server, so the next step does not start by itself. Start it now: `ripcord rollout advance {}`",
        rollout.id
    )
}

pub(super) fn lockstep(rollout: &Rollout, behind: &str) -> String {
    format!(
        "{} starts together with the other rollouts of its release; waiting for rollout {behind}",
        step(rollout, rollout.step + 1)
    )
}

pub(super) fn failed(rollout: &Rollout, gate: &str, detail: &str) -> String {
    format!("gate {gate} failed at {}: {detail}", step(rollout, rollout.step))
}

pub(super) fn held(rollout: &Rollout, why: &str) -> String {
    format!(
        "{why}. Continue: `ripcord rollout resume {0}`; roll back: `ripcord rollout rollback {0}`",
        rollout.id
    )
}

pub(super) fn rolled_back(why: &str) -> String {
    format!("{why}. Exposure is back to what it was before the rollout")
}

/// Adds how to see who has confirmed the rollback.
pub(super) fn proven(reason: &str, by: &RollbackId) -> String {
    format!("{reason}. Confirmations: `ripcord rollback show {by}`")
}

/// A one-way door: a person has to acknowledge it before exposure is rolled back.
pub(super) fn one_way(rollout: &Rollout, door: &OneWay) -> GuardRefusal {
    GuardRefusal::RolloutOneWay {
        flag: rollout.plan.flag.clone(),
        one_way: Box::new(door.clone()),
        before: rollout.before.as_ref().map(RollbackTarget::position),
    }
}

pub(super) fn completed(rollout: &Rollout) -> String {
    match rollout.plan.last() {
        1 => "the only step is done".to_owned(),
        steps => format!("all {steps} steps are done"),
    }
}

/// `anna paused it: reason`.
pub(super) fn by(actor: &Actor, did: &str, reason: Option<&str>) -> String {
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{} {did}{reason}", actor.name)
}

pub(super) fn killed(kill: &Kill) -> String {
    let reason = kill.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!(
        "{} killed {} ({}){reason}. The rollout does not restart automatically",
        kill.actor.name, kill.scope, kill.id
    )
}

pub(super) fn edited(what: &str, by: Option<&(Actor, Option<String>)>) -> String {
    let who = by.map(|(actor, reason)| {
        let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!(" by {}{reason}", actor.name)
    });
    format!("{what}{}. The rollout does not restart automatically", who.unwrap_or_default())
}

pub(super) fn with_sibling(sibling: &Rollout, why: &str) -> String {
    format!("rollout {} of {} in the same release: {why}", sibling.id, sibling.plan.flag)
}
