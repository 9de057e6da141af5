//! Messages of a rollback: its state, and the exact commands to run next.

use ripcord_proto::check::CheckPhase;
use ripcord_proto::confirmation::Confirmation;
use ripcord_proto::rollback::{Rollback, RollbackState};
use ripcord_proto::text::{self, and_more, counted, listed, moment};
use ripcord_proto::{EnvironmentKey, Revision, RollbackId};

use super::stages;

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
    let Some(stages) = &rollback.ladder else { return "the target".to_owned() };
    let percentage = stages::done(stages).checked_sub(1).and_then(|place| stages.steps.get(place));
    percentage.map_or_else(
        || "the target".to_owned(),
        |percentage| format!("step {} of {}, {percentage} %", stages.done, stages.steps.len() + 1),
    )
}

fn committed(rollback: &Rollback, next: &NextCommands<'_>) -> String {
    let (remaining, verified) = (stages::remaining(rollback), stages::is_judged(rollback));
    if remaining == 0 {
        return committed_so_far(rollback, next);
    }
    let confirmed = match &rollback.confirmation {
        Some(confirmation) if verified => format!(", confirmed by {}", of(confirmation)),
        Some(_) | None => String::new(),
    };
    let next_at = rollback.ladder.as_ref().and_then(|stages| stages.next_at);
    let due = next_at.map(|at| format!(" Next step at {}.", moment(at))).unwrap_or_default();
    format!(
        "At {}{confirmed}.{due} Finish now: {}; stop here: {}.",
        describe_step(rollback),
        next.command("resume", " --now"),
        next.command("stop", "")
    )
}

/// What is known before the deadline.
fn committed_so_far(rollback: &Rollback, next: &NextCommands<'_>) -> String {
    let Some(confirmation) = &rollback.confirmation else {
        return format!("Committed; waiting for confirmations and checks. Follow it: {}.", next.command("wait", ""));
    };
    let failing = failing_checks(rollback, CheckPhase::After);
    let checks = if failing.is_empty() {
        String::new()
    } else {
        format!(" Failing so far, and repeated until the deadline: {failing}.")
    };
    format!("Committed; confirmed by {}.{checks} Follow it: {}.", of(confirmation), next.command("wait", ""))
}

fn failing_checks(rollback: &Rollback, when: CheckPhase) -> String {
    let failing = rollback.checks.iter().filter(|check| check.when == when && !check.passed);
    listed(failing.map(|check| format!("{} of {} ({})", check.name, check.of, check.detail)), NAMED)
}

fn confirmed(rollback: &Rollback, next: &NextCommands<'_>) -> String {
    let who = match &rollback.confirmation {
        Some(confirmation) if confirmation.has_asked() => all_run(confirmation.applied.connected, rollback.revision),
        Some(_) | None => "No application was connected that could confirm it".to_owned(),
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
    format!("{who}{checks}.{}{}{review}", only_for(rollback), lost(rollback))
}

/// A rollback for one segment leaves everyone else as they were.
fn only_for(rollback: &Rollback) -> String {
    let segment = rollback.segment.as_ref();
    segment.map_or_else(String::new, |segment| format!(" Only users in segment {segment} were rolled back."))
}

/// Applications that were lost before the rollback and may still serve the old state.
fn lost(rollback: &Rollback) -> String {
    let Some(confirmation) = rollback.confirmation.as_ref().filter(|confirmation| !confirmation.lost.is_empty()) else {
        return String::new();
    };
    let named = confirmation.lost.iter().take(NAMED);
    let more = usize::try_from(confirmation.lost_total).unwrap_or(usize::MAX).saturating_sub(named.len());
    let names = listed(named.map(|lost| &lost.instance.name), NAMED);
    format!(" Connections were lost to {names}{}, which may still serve the old state.", and_more(more))
}

fn all_run(connected: u64, revision: Revision) -> String {
    match connected {
        1 => format!("The one connected application runs revision {revision}"),
        2 => format!("Both connected applications run revision {revision}"),
        many => format!("All {} connected applications run revision {revision}", text::grouped(many)),
    }
}

fn partial(rollback: &Rollback, next: &NextCommands<'_>) -> String {
    let Some(confirmation) = &rollback.confirmation else {
        return format!("Confirmations are unknown. Refresh with {}.", next.command("show", ""));
    };
    let missing = &confirmation.applied.missing;
    let absent = confirmation.applied.connected.saturating_sub(confirmation.applied.confirmed);
    let mut text = format!("Confirmed in time by {}.", of(confirmation));
    if absent > 0 {
        let named = missing.iter().take(NAMED);
        let more = usize::try_from(absent).unwrap_or(usize::MAX).saturating_sub(named.len());
        let names = listed(named.map(|missing| &missing.instance.name), NAMED);
        text = format!("{text} Missing: {names}{}.", and_more(more));
    }
    if !confirmation.nodes_not_reached.is_empty() {
        text = format!("{text} Nodes not reached: {}.", listed(&confirmation.nodes_not_reached, usize::MAX));
    }
    text.push_str(&only_for(rollback));
    format!(
        "{text} These may still serve the old state: restart them, or take them out of service. The rollback is confirmed when they have confirmed or \
         are gone: {}.",
        next.command("wait", "")
    )
}

fn failed(rollback: &Rollback, next: &NextCommands<'_>) -> String {
    let remaining = stages::remaining(rollback);
    let when = if remaining > 0 { CheckPhase::Step } else { CheckPhase::After };
    let named = failing_checks(rollback, when);
    let who = rollback
        .confirmation
        .as_ref()
        .map(|confirmation| format!(" Confirmed by {}.", of(confirmation)))
        .unwrap_or_default();
    if remaining > 0 {
        return format!(
            "Stopped after {}, because a check failed: {named}.{who} Continue stepwise: {}; finish now: {}; stop here: {}.",
            describe_step(rollback),
            next.command("resume", ""),
            next.command("resume", " --now"),
            next.command("stop", "")
        );
    }
    format!(
        "Service not restored: {named} failed.{who}{} The cause may be elsewhere. Repeat the checks: {}; undo: {}; `ripcord kill` forces single flags to \
         their safe variant.",
        only_for(rollback),
        next.command("resume", ""),
        next.command("undo", "")
    )
}

fn of(confirmation: &Confirmation) -> String {
    let level = &confirmation.applied;
    format!("{} of {}", level.confirmed, counted(level.connected, "application", "applications"))
}

struct NextCommands<'a> {
    id: &'a RollbackId,
    environment: &'a EnvironmentKey,
}

impl NextCommands<'_> {
    /// A command, ready to be copied.
    fn command(&self, verb: &str, options: &str) -> String {
        format!("`{}`", text::command(&format!("rollback {verb} {}{options}", self.id), self.environment))
    }
}
