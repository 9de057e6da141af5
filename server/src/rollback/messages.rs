//! What a rollback's state says to people: why it stands so, and the exact commands that are the next moves.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ripcord_proto::check::{CheckOutcome, CheckPhase};
use ripcord_proto::confirmation::Confirmation;
use ripcord_proto::rollback::{Rollback, RollbackState};
use ripcord_proto::{EnvironmentKey, RollbackId};

use super::stages;
use crate::telemetry::names;

/// The environment that commands mean unless they say otherwise.
const DEFAULT_ENVIRONMENT: &str = "production";
/// Missing applications and failed checks that are named; of more the number is told.
const NAMED: usize = 5;

/// What the state of `rollback` says.
pub(super) fn state(rollback: &Rollback, environment: &EnvironmentKey) -> String {
    let moves = NextCommands { id: &rollback.id, environment };
    match rollback.state {
        RollbackState::Planned => "Nothing is committed yet.".to_owned(),
        RollbackState::Committed => committed(rollback, &moves),
        RollbackState::Confirmed => confirmed(rollback, &moves),
        RollbackState::Partial => partial(rollback, &moves),
        RollbackState::Failed => failed(rollback, &moves),
        RollbackState::Stopped => format!(
            "It was stopped after {}. {} goes on step by step, {} does all that is left at once, {} goes forward again.",
            stages::step_in_words(rollback),
            moves.command("resume", ""),
            moves.command("resume", " --now"),
            moves.command("undo", "")
        ),
        RollbackState::Undone => {
            let by = rollback.undone_by.as_ref().map(|id| format!(" by {id}")).unwrap_or_default();
            format!(
                "It was rolled forward again{by}. Its review stays due: {}.",
                moves.command("review", " --note \"…\"")
            )
        }
    }
}

/// What a ladder says that cannot go on.
pub(super) fn stuck(rollback: &Rollback, why: &str, environment: &EnvironmentKey) -> String {
    let moves = NextCommands { id: &rollback.id, environment };
    format!(
        "After {} the next one could not be made: {why}. {} tries again, {} leaves it here, {} goes forward again.",
        stages::step_in_words(rollback),
        moves.command("resume", ""),
        moves.command("stop", ""),
        moves.command("undo", "")
    )
}

fn committed(rollback: &Rollback, moves: &NextCommands<'_>) -> String {
    let (remaining, judged) = (stages::remaining(rollback), stages::is_judged(rollback));
    if remaining == 0 {
        return format!(
            "It is committed; confirmations and checks are awaited. {} shows them coming in.",
            moves.command("wait", "")
        );
    }
    let stands = match &rollback.confirmation {
        Some(confirmation) if judged => format!(", confirmed by {}", of(confirmation)),
        Some(_) | None => String::new(),
    };
    let next_at = rollback.ladder.as_ref().and_then(|ladder| ladder.next_at);
    let due = next_at.map(|at| format!(" The next is due at {}.", moment(at))).unwrap_or_default();
    format!(
        "It is at {}{stands}.{due} {} does all that is left at once, {} leaves it here.",
        stages::step_in_words(rollback),
        moves.command("resume", " --now"),
        moves.command("stop", "")
    )
}

fn confirmed(rollback: &Rollback, moves: &NextCommands<'_>) -> String {
    let who = match &rollback.confirmation {
        Some(confirmation) if confirmation.applied.connected > 0 => {
            format!(
                "Every connected application ({}) evaluates at revision {} or later",
                of(confirmation),
                rollback.revision
            )
        }
        Some(_) | None => "No application is connected that could still evaluate the state before it".to_owned(),
    };
    let checks = rollback.checks.iter().filter(|check| check.when == CheckPhase::After).count();
    let checks = match checks {
        0 => ". No check was stated that could say whether service is restored".to_owned(),
        1 => ", and the check passes".to_owned(),
        many => format!(", and all {many} checks pass"),
    };
    let review = if rollback.review.done.is_some() {
        String::new()
    } else {
        format!(" Review it by {}: {}.", moment(rollback.review.due), moves.command("review", " --note \"…\""))
    };
    format!("{who}{checks}.{review} {} goes forward again.", moves.command("undo", ""))
}

fn partial(rollback: &Rollback, moves: &NextCommands<'_>) -> String {
    let Some(confirmation) = &rollback.confirmation else {
        return format!("Who has confirmed it is not known. It is looked for on: {}.", moves.command("show", ""));
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
        "{text} Those may still serve the state before it: restart them, or take them out of service. They are watched, and it is confirmed when they have \
         come or are gone: {}.",
        moves.command("wait", "")
    )
}

fn failed(rollback: &Rollback, moves: &NextCommands<'_>) -> String {
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
            "The ladder was stopped after {} by a check: {named}{more}.{who} {} goes on step by step, {} does all that is left at once, {} leaves it here.",
            stages::step_in_words(rollback),
            moves.command("resume", ""),
            moves.command("resume", " --now"),
            moves.command("stop", "")
        );
    }
    format!(
        "Service is not restored, says {named}{more}.{who} The cause may lie elsewhere. {} asks the checks again, {} goes forward again, `ripcord kill` \
         forces single flags to their safe variant.",
        moves.command("resume", ""),
        moves.command("undo", "")
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

/// A moment in UTC, to the second: the reader's time zone is not known here.
pub(super) fn moment(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

struct NextCommands<'a> {
    id: &'a RollbackId,
    environment: &'a EnvironmentKey,
}

impl NextCommands<'_> {
    /// A command as it is typed.
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

/// Counts a rollback that has come to a state, and how long its phases took.
pub(super) fn meter(environment: &EnvironmentKey, rollback: &Rollback) {
    let env = environment.to_string();
    metrics::counter!(names::ROLLBACKS, "env" => env.clone(), "state" => rollback.state.as_str()).increment(1);
    let phases = &rollback.phases;
    let since = |from: Option<Timestamp>, to: Option<Timestamp>| Some(to?.duration_since(from?).as_secs_f64().max(0.0));
    let seconds = |millis: Option<f64>| millis.map(|millis| millis / 1_000.0);
    let timed = [
        ("decided", since(phases.detected, phases.decided)),
        ("committed", seconds(phases.commit_ms)),
        ("applied", phases.applied.and_then(|_| seconds(phases.applied_last_ms))),
        ("healthy", seconds(phases.healthy_ms)),
    ];
    for (phase, took) in timed {
        if let Some(took) = took {
            metrics::histogram!(names::ROLLBACK_SECONDS, "env" => env.clone(), "phase" => phase).record(took);
        }
    }
}
