//! The live view of a rollback: confirmations as they arrive, then the result with its evidence.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use ripcord_proto::RollbackId;
use ripcord_proto::check::CheckOutcome;
use ripcord_proto::rollback::{BadExposure, PhaseTimes, Rollback, RollbackScope, RollbackState, Stages};
use ripcord_proto::text::{counted, grouped};

use crate::answer::Answer;
use crate::client::Call;
use crate::confirm::{self, milliseconds};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{Paint, count, moment, print};
use crate::table::indented_table;

/// How long the server holds each answer, so that an end is seen at once and progress ten times a second.
const HOLD: Duration = Duration::from_millis(100);

/// Until when a rollback is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Its newest commit is confirmed; for a staged rollback, that is one step.
    Commit,
    /// It is confirmed, partial, failed, stopped or undone.
    Settled,
}

/// Follows a rollback that was just committed, shows its result and how to undo it, and returns the exit code.
pub(crate) async fn see(call: &Context, rollback: Rollback, patience: Duration) -> Result<Exit, Failure> {
    let rollback = follow(call, &rollback.id, Until::Commit, patience).await?;
    print(&describe(call, &rollback));
    Ok(exit(&rollback, patience))
}

/// Waits until the rollback has come this far or the time is up, with a progress bar, and returns its state.
pub(crate) async fn follow(call: &Context, id: &RollbackId, until: Until, patience: Duration) -> Result<Rollback, Failure> {
    let began = Instant::now();
    let mut bar = None;
    loop {
        let hold = HOLD.min(patience.saturating_sub(began.elapsed()));
        let get = Call::get(call.path(&["rollbacks", id.as_str()])).query("wait", Some(format!("{}ms", hold.as_millis())));
        let answer: Answer<Rollback> = call.client.call(get).await?;
        let rollback = answer.value;
        let confirmation = rollback.confirmation.as_ref();
        if let Some(confirmation) = confirmation {
            confirm::show(&mut bar, confirmation, began.elapsed());
        }
        let is_done = match until {
            Until::Settled => rollback.state != RollbackState::Committed,
            Until::Commit => rollback.state != RollbackState::Committed || (is_running(&rollback) && rollback.phases.committed.is_some()),
        };
        if is_done || began.elapsed() >= patience {
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
            return Ok(rollback);
        }
    }
}

fn is_running(rollback: &Rollback) -> bool {
    rollback.ladder.as_ref().is_some_and(Stages::is_running)
}

/// 0 confirmed, stopped, or on its way down; 1 failed; 4 not confirmed in time.
pub(crate) fn exit(rollback: &Rollback, patience: Duration) -> Exit {
    match rollback.state {
        RollbackState::Confirmed | RollbackState::Stopped | RollbackState::Undone | RollbackState::Planned => Exit::Done,
        RollbackState::Committed if patience.is_zero() || is_running(rollback) => Exit::Done,
        RollbackState::Committed | RollbackState::Partial => Exit::Unconfirmed,
        RollbackState::Failed => Exit::Failed,
    }
}

/// Everything known about the rollback, and the command that undoes it.
pub(crate) fn describe(call: &Context, rollback: &Rollback) -> String {
    let undo = call.command(&format!("rollback undo {}", rollback.id));
    let place = (call.environment().as_str(), call.server());
    shown(rollback, place, &undo, call.output.paint())
}

/// `place` is the environment and the server.
fn shown(rollback: &Rollback, place: (&str, &str), undo: &str, paint: Paint) -> String {
    let (environment, server) = place;
    let head = match &rollback.scope {
        RollbackScope::Rollback(undone) => format!("Undid rollback {undone}: {environment} is back at {}", target(rollback)),
        RollbackScope::Environment | RollbackScope::Release(_) | RollbackScope::Flags(_) | RollbackScope::Tags(_) | RollbackScope::Rollout(_) => {
            format!("Rolled {environment} back to {}{}", target(rollback), limits(rollback))
        }
    };
    let mut text = paint.strong(&head);
    // Writing to a String cannot fail.
    let flags = count(rollback.flags.len(), "flag", "flags");
    let _ = write!(text, " on {server}: {flags}, revision {}\nRollback id: {}", rollback.revision, rollback.id);
    if let Some(confirmation) = &rollback.confirmation {
        let _ = write!(text, "\n{}", confirm::describe(confirmation, Duration::ZERO, paint));
        if confirmation.applied.connected == 0 {
            let question = format!("No application has received it. Is {server} the right server?");
            let _ = write!(text, "\n{}", paint.warn(&question));
        }
    }
    let _ = write!(text, "\n\n{}", phases(&rollback.phases));
    if !rollback.checks.is_empty() {
        let _ = write!(text, "\n\n{}", checks(&rollback.checks, paint));
    }
    text.push_str("\n\n");
    let bad = match &rollback.bad_exposure {
        Some(bad) => served(bad),
        None if rollback.state.is_final() => "Bad evaluations were not counted.".to_owned(),
        None => "Bad evaluations are not counted yet.".to_owned(),
    };
    let _ = writeln!(text, "{bad}");
    text.push_str(&state(rollback, paint));
    if rollback.state != RollbackState::Undone {
        let _ = write!(text, "\n\nUndo it with\n  {}", paint.strong(undo));
    }
    text
}

/// `checkpoint before-web-41 (revision 1:41)`.
pub(crate) fn target(rollback: &Rollback) -> String {
    let target = &rollback.target;
    match &target.checkpoint {
        Some(checkpoint) => format!("{checkpoint} (revision {})", target.revision),
        None => format!("revision {}", target.revision),
    }
}

/// Whom it is limited to, and how far it is: ` for segment eu, step 1 of 4 (25 %)`. Empty for a rollback that is done for everyone.
pub(crate) fn limits(rollback: &Rollback) -> String {
    let segment = rollback
        .segment
        .as_ref()
        .map(|segment| format!(" for segment {segment} only"))
        .unwrap_or_default();
    let stages = rollback.ladder.as_ref().filter(|stages| stages.is_running());
    let step = stages.map(|stages| {
        let percent = stages.steps.get((stages.done as usize).saturating_sub(1));
        let percent = percent.map(|percent| format!(" ({percent} %)")).unwrap_or_default();
        format!(", step {} of {}{percent}", stages.done, stages.commits())
    });
    format!("{segment}{}", step.unwrap_or_default())
}

/// Its state, and what it says. The message of some states begins with the state.
pub(crate) fn state(rollback: &Rollback, paint: Paint) -> String {
    let name = match rollback.state {
        // It also ends so if no application was connected to confirm it.
        RollbackState::Confirmed if rollback.confirmation.as_ref().is_some_and(|confirmation| !confirmation.complete) => {
            paint.warn("Done, but no application has confirmed it.")
        }
        RollbackState::Confirmed => paint.good("Confirmed."),
        RollbackState::Failed => paint.bad("Failed."),
        RollbackState::Partial => paint.warn("Partial."),
        RollbackState::Planned | RollbackState::Committed | RollbackState::Stopped | RollbackState::Undone => {
            return paint.warn(&rollback.message);
        }
    };
    format!("{name} {}", rollback.message)
}

fn phases(phases: &PhaseTimes) -> String {
    let at = |moment_of: Option<jiff::Timestamp>| moment_of.map_or_else(|| "-".to_owned(), moment);
    let took = |ms: Option<f64>| ms.map(milliseconds).unwrap_or_default();
    let decided = phases
        .detected
        .zip(phases.decided)
        .map(|(from, to)| to.duration_since(from).as_secs_f64() * 1_000.0);
    let spread = match (phases.applied_p50_ms, phases.applied_p99_ms, phases.applied_last_ms) {
        (Some(p50), Some(p99), Some(last)) => format!("{} p50, {} p99, {} last", milliseconds(p50), milliseconds(p99), milliseconds(last)),
        _ => String::new(),
    };
    let rows = [
        ("detected", at(phases.detected), String::new()),
        ("decided", at(phases.decided), took(decided)),
        ("committed", at(phases.committed), took(phases.commit_ms)),
        ("applied", at(phases.applied), spread),
        ("healthy", at(phases.healthy), took(phases.healthy_ms)),
    ];
    indented_table(["phase", "at", "took"], rows.map(|(phase, at, took)| [phase.to_owned(), at, took]))
}

fn checks(checks: &[CheckOutcome], paint: Paint) -> String {
    indented_table(
        ["check", "of", "", "answer"],
        checks.iter().map(|check| {
            let passed = if check.passed { paint.good("passes") } else { paint.bad("FAILS") };
            [check.name.clone(), check.of.clone(), passed, check.detail.clone()]
        }),
    )
}

fn served(served: &BadExposure) -> String {
    if *served == BadExposure::default() {
        return "No bad evaluations were reported between onset and confirmation.".to_owned();
    }
    let mut text = format!(
        "Between onset and confirmation, {} were reported for users, {} of them with an error",
        times(served.real),
        none_or(served.errors_real)
    );
    if served.synthetic > 0 {
        let _ = write!(
            text,
            "; {} for probes and tests, {} of them with an error",
            times(served.synthetic),
            none_or(served.errors_synthetic)
        );
    }
    text.push('.');
    text
}

fn none_or(number: u64) -> String {
    if number == 0 { "none".to_owned() } else { grouped(number) }
}

fn times(number: u64) -> String {
    counted(number, "bad evaluation", "bad evaluations")
}

#[cfg(test)]
mod tests;
