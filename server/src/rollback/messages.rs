//! Messages of a rollback: its state, and the exact commands to run next.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ripcord_proto::check::{CheckOutcome, CheckPhase};
use ripcord_proto::confirmation::Confirmation;
use ripcord_proto::rollback::{Rollback, RollbackState};
use ripcord_proto::{EnvironmentKey, RollbackId};

use super::stages;

/// The environment of a command without --env.
const DEFAULT_ENVIRONMENT: &str = "production";
/// Missing applications and failed checks that are named; of more, the number is given.
const NAMED: usize = 5;

/// The state of `rollback`, and what to do next.
pub(super) fn state(rollback: &Rollback, environment: &EnvironmentKey) -> String {
    let next = NextCommands { id: &rollback.id, environment };
    match rollback.state {
        RollbackState::Planned => "Not committed yet.".to_owned(),
        RollbackState::Committed => committed(rollback, &next),
        RollbackState::Confirmed => confirmed(rollback, &next),
        RollbackState::Partial => partial(rollback, &next),
        RollbackState::Failed => failed(rollback, &next),
        RollbackState::Stopped => format!(
            "Stopped after {}. Continue stepwise: {}; finish now: {}; undo: {}.",
            describe_step(rollback),
            next.command("resume", ""),
            next.command("resume", " --now"),
            next.command("undo", "")
        ),
        RollbackState::Undone => {
            let by = rollback.undone_by.as_ref().map(|id| format!(" by {id}")).unwrap_or_default();
            format!("Undone{by}. It still has to be reviewed: {}.", next.command("review", " --note \"…\""))
        }
    }
}

/// A rollback whose next step cannot be made.
pub(super) fn stuck(rollback: &Rollback, why: &str, environment: &EnvironmentKey) -> String {
    let next = NextCommands { id: &rollback.id, environment };
    format!(
        "The step after {} failed: {why}. Try again: {}; stop here: {}; undo: {}.",
        describe_step(rollback),
        next.command("resume", ""),
        next.command("stop", ""),
        next.command("undo", "")
    )
}

/// `step 2 of 4, 25 %`, or `the target` for the last.
pub(super) fn describe_step(rollback: &Rollback) -> String {
    let Some(ladder) = &rollback.ladder else { return "the target".to_owned() };
    let percentage = stages::done(ladder).checked_sub(1).and_then(|place| ladder.steps.get(place));
    percentage.map_or_else(
        || "the target".to_owned(),
        |percentage| format!("step {} of {}, {percentage} %", ladder.done, ladder.steps.len() + 1),
    )
}

fn committed(rollback: &Rollback, next: &NextCommands<'_>) -> String {
    let (remaining, verified) = (stages::remaining(rollback), stages::is_judged(rollback));
    if remaining == 0 {
        return format!("Committed; waiting for confirmations and checks. Follow it: {}.", next.command("wait", ""));
    }
    let confirmed = match &rollback.confirmation {
        Some(confirmation) if verified => format!(", confirmed by {}", of(confirmation)),
        Some(_) | None => String::new(),
    };
    let next_at = rollback.ladder.as_ref().and_then(|ladder| ladder.next_at);
    let due = next_at.map(|at| format!(" Next step at {}.", moment(at))).unwrap_or_default();
    format!(
        "At {}{confirmed}.{due} Finish now: {}; stop here: {}.",
        describe_step(rollback),
        next.command("resume", " --now"),
        next.command("stop", "")
    )
}

fn confirmed(rollback: &Rollback, next: &NextCommands<'_>) -> String {
    let who = match &rollback.confirmation {
        Some(confirmation) if confirmation.applied.connected > 0 => {
            format!("All connected applications ({}) run revision {} or later", of(confirmation), rollback.revision)
        }
        Some(_) | None => "No connected application can still be on the old state".to_owned(),
    };
    let checks = rollback.checks.iter().filter(|check| check.when == CheckPhase::After).count();
    let checks = match checks {
        0 => ". No health check is configured, so Ripcord cannot tell whether the service has recovered".to_owned(),
        1 => ", and the health check passes".to_owned(),
        many => format!(", and all {many} health checks pass"),
    };
    let review = if rollback.review.done.is_some() {
        String::new()
    } else {
        format!(" Review it by {}: {}.", moment(rollback.review.due), next.command("review", " --note \"…\""))
    };
    format!("{who}{checks}.{review} To re-apply: {}.", next.command("undo", ""))
}

fn partial(rollback: &Rollback, next: &NextCommands<'_>) -> String {
    let Some(confirmation) = &rollback.confirmation else {
        return format!("Confirmations are unknown. Refresh with {}.", next.command("show", ""));
    };
    let missing = &confirmation.applied.missing;
    let absent = confirmation.applied.connected.saturating_sub(confirmation.applied.confirmed);
    let mut text = format!("Confirmed in time by {}.", of(confirmation));
    if absent > 0 {
        let names: Vec<&str> = missing.iter().take(NAMED).map(|missing| missing.instance.name.as_str()).collect();
        let more = usize::try_from(absent).unwrap_or(usize::MAX).saturating_sub(names.len());
        text = format!("{text} Missing: {}{}.", names.join(", "), and_more(more));
    }
    if !confirmation.nodes_not_reached.is_empty() {
        text = format!("{text} Nodes not reached: {}.", confirmation.nodes_not_reached.join(", "));
    }
    format!(
        "{text} These may still serve the old state: restart them, or take them out of service. The rollback is confirmed when they have confirmed or \
         are gone: {}.",
        next.command("wait", "")
    )
}

fn failed(rollback: &Rollback, next: &NextCommands<'_>) -> String {
    let remaining = stages::remaining(rollback);
    let when = if remaining > 0 { CheckPhase::Step } else { CheckPhase::After };
    let failing: Vec<&CheckOutcome> = rollback.checks.iter().filter(|check| check.when == when && !check.passed).collect();
    let named: Vec<String> = failing
        .iter()
        .take(NAMED)
        .map(|check| format!("{} of {} ({})", check.name, check.of, check.detail))
        .collect();
    let more = and_more(failing.len().saturating_sub(named.len()));
    let named = named.join(", ");
    let who = rollback
        .confirmation
        .as_ref()
        .map(|confirmation| format!(" Confirmed by {}.", of(confirmation)))
        .unwrap_or_default();
    if remaining > 0 {
        return format!(
            "Stopped after {}, because a check failed: {named}{more}.{who} Continue stepwise: {}; finish now: {}; stop here: {}.",
            describe_step(rollback),
            next.command("resume", ""),
            next.command("resume", " --now"),
            next.command("stop", "")
        );
    }
    format!(
        "Service not restored: {named}{more} failed.{who} The cause may be elsewhere. Repeat the checks: {}; undo: {}; `ripcord kill` forces single flags to \
         their safe variant.",
        next.command("resume", ""),
        next.command("undo", "")
    )
}

fn of(confirmation: &Confirmation) -> String {
    let level = &confirmation.applied;
    let noun = if level.connected == 1 { "application" } else { "applications" };
    format!("{} of {} {noun}", level.confirmed, level.connected)
}

fn and_more(more: usize) -> String {
    if more == 0 { String::new() } else { format!(" and {more} more") }
}

/// A time in UTC, to the second.
pub(super) fn moment(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

struct NextCommands<'a> {
    id: &'a RollbackId,
    environment: &'a EnvironmentKey,
}

impl NextCommands<'_> {
    /// A command, ready to be copied.
    fn command(&self, verb: &str, options: &str) -> String {
        let environment = self.environment.as_str();
        let environment = if environment == DEFAULT_ENVIRONMENT {
            String::new()
        } else {
            format!(" --env {environment}")
        };
        format!("`ripcord rollback {verb} {}{options}{environment}`", self.id)
    }
}
