//! Decides what a signal causes: a function of the records, the trigger and the time, without I/O.
//!
//! It is called twice: on what this node knows, to prepare the action, and on the state that the commit finds, which
//! decides. So one incident causes one action, whichever nodes receive it, and the cooldown and the hour's limit hold over nodes
//! and restarts.

use jiff::{SignedDuration, Timestamp};
use ripcord_proto::FiringId;
use ripcord_proto::duration::HumanDuration;
use ripcord_proto::record::Records;
use ripcord_proto::release::{Release, ReleaseState};
use ripcord_proto::text::counted_len;
use ripcord_proto::trigger::{ActivePeriod, Firing, SignalSource, Trigger, TriggerAction, TriggerMode, TriggerRollbackScope, TriggerState};

use super::signal::{Signal, SignalPhase};

const HOUR: HumanDuration = HumanDuration::from_millis(60 * 60 * 1_000);

/// What a signal causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SignalDecision {
    /// The trigger fires, and acts.
    Act,
    /// The trigger fires, and does something else.
    Restrain(Restraint),
    /// The incident is known and open.
    Repeat(FiringId),
    /// The incident is over.
    Resolve(FiringId),
    /// Its end arrived before its beginning, which is then ignored.
    ResolveUnknown,
    /// Nothing, and why.
    Ignore(String),
}

/// What a trigger that fires does instead of acting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Restraint {
    /// It asks a person.
    AskFirst,
    /// It records that it fired.
    RecordOnly,
    /// It records what it would have done.
    DryRun,
    /// It would act, and is held back.
    Suppress(String),
}

/// Decides what a trigger does with a signal.
pub(super) fn of(records: &Records, trigger: &Trigger, signal: &Signal, now: Timestamp) -> SignalDecision {
    match signal.phase {
        SignalPhase::Firing => firing(records, trigger, signal, now),
        SignalPhase::Resolved => resolved(records, trigger, signal),
    }
}

fn firing(records: &Records, trigger: &Trigger, signal: &Signal, now: Timestamp) -> SignalDecision {
    if let Some(open) = open(records, trigger, signal) {
        return SignalDecision::Repeat(open.id.clone());
    }
    if let Some(ended) = ended(records, trigger, signal).filter(|ended| signal.at <= *ended) {
        return SignalDecision::Ignore(format!("it began at {} and already ended at {ended}", signal.at));
    }
    if let Err(why) = check_during(records, trigger) {
        return SignalDecision::Ignore(why);
    }
    if trigger.state == TriggerState::DryRun {
        return SignalDecision::Restrain(Restraint::DryRun);
    }
    match trigger.mode_under(records.policy().triggers()) {
        TriggerMode::Off => SignalDecision::Restrain(Restraint::RecordOnly),
        TriggerMode::Ask => SignalDecision::Restrain(Restraint::AskFirst),
        TriggerMode::Automatic => match limited(records, trigger, now) {
            Some(why) => SignalDecision::Restrain(Restraint::Suppress(why)),
            None => SignalDecision::Act,
        },
    }
}

fn resolved(records: &Records, trigger: &Trigger, signal: &Signal) -> SignalDecision {
    if let Some(open) = open(records, trigger, signal) {
        if signal.at < open.started {
            return SignalDecision::Ignore(format!(
                "it ended at {}, before the alert that is now firing began at {}",
                signal.at, open.started
            ));
        }
        return SignalDecision::Resolve(open.id.clone());
    }
    match (&trigger.source, ended(records, trigger, signal)) {
        (_, Some(ended)) if signal.at <= ended => SignalDecision::Ignore(format!("it already ended at {ended}")),
        // A level that is well says so again and again: this node remembers the newest.
        (SignalSource::Json(_) | SignalSource::Gate(_), _) => SignalDecision::Ignore("there is no open firing to end".to_owned()),
        (SignalSource::Alertmanager | SignalSource::Pagerduty, _) => SignalDecision::ResolveUnknown,
    }
}

/// The firings of a signal's group.
pub(super) fn of_group<'r>(records: &'r Records, trigger: &'r Trigger, group: &'r str) -> impl Iterator<Item = &'r Firing> {
    let firings = records.firings.values();
    firings.filter(move |firing| firing.trigger == trigger.name && firing.group == group)
}

fn open<'r>(records: &'r Records, trigger: &'r Trigger, signal: &'r Signal) -> Option<&'r Firing> {
    of_group(records, trigger, &signal.group).find(|firing| firing.is_open())
}

/// When the signal's group is known to have ended last.
fn ended(records: &Records, trigger: &Trigger, signal: &Signal) -> Option<Timestamp> {
    of_group(records, trigger, &signal.group).filter_map(|firing| firing.resolved).max()
}

/// The newest release that is open.
pub(super) fn open_release(records: &Records) -> Option<&Release> {
    let releases = records.releases.values();
    releases.filter(|release| release.state == ReleaseState::Open).max_by_key(|release| release.at)
}

fn check_during(records: &Records, trigger: &Trigger) -> Result<(), String> {
    if trigger.conditions.during == ActivePeriod::Always {
        return Ok(());
    }
    let named = match &trigger.action {
        TriggerAction::Rollback(back) => match &back.scope {
            TriggerRollbackScope::Release(name) => Some(name),
            TriggerRollbackScope::OpenRelease | TriggerRollbackScope::Flags(_) | TriggerRollbackScope::Environment => None,
        },
        TriggerAction::Hold(_) | TriggerAction::Kill(_) => None,
    };
    let Some(name) = named else {
        return open_release(records).map(drop).ok_or_else(|| "no release is open".to_owned());
    };
    match records.releases.value(name.as_str()) {
        Some(release) if release.state == ReleaseState::Open => Ok(()),
        Some(_) | None => Err(format!("release {name} is not open")),
    }
}

/// Why it may not act now.
fn limited(records: &Records, trigger: &Trigger, now: Timestamp) -> Option<String> {
    let firings = records.firings.values();
    let acted: Vec<Timestamp> = firings.filter(|firing| firing.trigger == trigger.name).filter_map(Firing::acted_at).collect();
    let until = |at: Timestamp, span: HumanDuration| at.checked_add(SignedDuration::from_millis(i64::try_from(span.millis()).unwrap_or(i64::MAX)));
    let last = acted.iter().max().copied();
    if let Some(end) = last.and_then(|last| until(last, trigger.cooldown).ok()).filter(|end| now < *end) {
        return Some(format!("it acted less than {} ago and does not act again before {end}", trigger.cooldown));
    }
    let within = |at: &&Timestamp| until(**at, HOUR).is_ok_and(|end| now < end);
    let count = acted.iter().filter(within).count();
    if count >= usize::try_from(trigger.max_per_hour).unwrap_or(usize::MAX) {
        let times = counted_len(count, "time", "times");
        return Some(format!("it has acted {times} within an hour, which is its limit"));
    }
    None
}

/// Whether a firing still counts for what its trigger may do, so that it must not be forgotten.
pub(super) fn still_counts(firing: &Firing, cooldown: HumanDuration, now: Timestamp) -> bool {
    let longest = HOUR.max(cooldown);
    let ago = firing.acted_at().map(|at| now.duration_since(at).as_millis());
    ago.is_some_and(|ago| ago < i128::from(longest.millis()))
}

#[cfg(test)]
mod tests;
