//! The rollback itself: asked for, waited for, told.

use std::fmt::Write as _;
use std::str::FromStr;
use std::time::{Duration, Instant};

use clap::Args;
use ripcord_proto::digest::Digest;
use ripcord_proto::rollback::{Rollback, RollbackState};

use super::Ask;
use crate::cli::client::{Answer, Call};
use crate::cli::exit::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::cli::output::{Format, Paint, count, facts, indented, print};
use crate::http::query::Wait;

/// How long the server waits for one answer.
const TURN: Duration = Duration::from_secs(30);
/// How long a person waits who did not say.
const SHORTLY: Duration = Duration::from_secs(5);
/// Flags that are named; of more the number is told.
const NAMED: usize = 20;

/// A rollback that is to be done.
#[derive(Debug, Args)]
pub(super) struct Execute {
    #[command(flatten)]
    ask: Ask,
    /// The hash that `rollback plan` printed: do exactly that, or refuse because the world has moved
    #[arg(long, value_name = "HASH")]
    plan: Option<Digest>,
    /// Wait until it is confirmed, up to this many seconds; exit code 4 where it is not
    #[arg(long, value_name = "SECONDS")]
    wait: Option<Patience>,
}

/// How long somebody waits: `30`, `30s`, `500ms`.
#[derive(Debug, Clone, Copy)]
struct Patience(Duration);

impl FromStr for Patience {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(seconds) = text.parse::<f64>() {
            return Duration::try_from_secs_f64(seconds).map(Self).map_err(|error| error.to_string());
        }
        text.parse::<Wait>().map(|Wait(wait)| Self(wait)).map_err(|error| error.to_string())
    }
}

/// Does it.
pub(super) async fn run(call: &Invocation, command: Execute) -> Result<Exit, Failure> {
    command.ask.check()?;
    let post = Call::post(call.path(&["rollbacks"])).json(&command.ask.request(command.plan))?.urgent(TURN);
    let mut answer: Answer<Rollback> = call.client.call(post).await?;
    let text = call.output.format() == Format::Text;
    if text {
        print(&headline(&answer.value, call.environment().as_str(), call.output.paint()));
    }
    let patience = match command.wait {
        Some(Patience(patience)) => patience,
        None if text && answer.value.ladder.is_none() => SHORTLY,
        None => Duration::ZERO,
    };
    settle(call, &mut answer, patience).await?;
    call.output.answer(&answer, |rollback| outcome(rollback, call));
    Ok(exit(answer.value.state, command.wait.is_some()))
}

/// Asks again until it is settled or the patience is over.
async fn settle(call: &Invocation, answer: &mut Answer<Rollback>, patience: Duration) -> Result<(), Failure> {
    let began = Instant::now();
    while matches!(answer.value.state, RollbackState::Planned | RollbackState::Committed) {
        let left = patience.saturating_sub(began.elapsed());
        if left.is_zero() {
            break;
        }
        let turn = left.min(TURN);
        let id = answer.value.id.to_string();
        let get = Call::get(call.path(&["rollbacks", &id])).query("wait", Some(format!("{}ms", turn.as_millis().max(1))));
        *answer = call.client.call(get.urgent(turn)).await?;
    }
    Ok(())
}

/// Whoever asked to wait is told by the exit code what came of it.
const fn exit(state: RollbackState, waited: bool) -> Exit {
    match state {
        RollbackState::Failed => Exit::Failed,
        RollbackState::Planned | RollbackState::Committed | RollbackState::Partial | RollbackState::Stopped if waited => Exit::Unconfirmed,
        RollbackState::Planned
        | RollbackState::Committed
        | RollbackState::Partial
        | RollbackState::Stopped
        | RollbackState::Confirmed
        | RollbackState::Undone => Exit::Done,
    }
}

/// What was done.
pub(super) fn headline(rollback: &Rollback, environment: &str, paint: Paint) -> String {
    let target = match &rollback.target.checkpoint {
        Some(name) => format!("{name} ({})", rollback.target.position()),
        None => format!("revision {}", rollback.target.position()),
    };
    let flags = count(rollback.flags.len(), "flag", "flags");
    let mut text = if rollback.flags.is_empty() && rollback.segments.is_empty() {
        format!("{} is as it was at {target} already, revision {}.", environment, rollback.revision)
    } else {
        let done = paint.strong(&format!("Rolled back {flags} to {target}"));
        format!("{done} in {environment}, revision {}.", rollback.revision)
    };
    // Writing to a String cannot fail.
    if let Some(ladder) = &rollback.ladder {
        let _ = write!(text, "\nStep {} of {} is made.", ladder.done, ladder.commits());
    }
    if !rollback.skipped.is_empty() {
        let named: Vec<String> = rollback.skipped.iter().take(NAMED).map(ToString::to_string).collect();
        let more = rollback.skipped.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let left = format!("Left as they are, because others have changed them: {}{more}.", named.join(", "));
        let _ = write!(text, "\n{}", paint.warn(&left));
    }
    text
}

/// How it stands, the phases, and what can be done next.
fn outcome(rollback: &Rollback, call: &Invocation) -> String {
    let paint = call.output.paint();
    let state = rollback.state.as_str();
    let state = match rollback.state {
        RollbackState::Confirmed => paint.good(state),
        RollbackState::Failed | RollbackState::Partial => paint.bad(state),
        RollbackState::Planned | RollbackState::Committed | RollbackState::Stopped | RollbackState::Undone => paint.warn(state),
    };
    format!("{state}: {}\n{}", rollback.says, indented(&phases(rollback)))
}

fn phases(rollback: &Rollback) -> String {
    let phases = &rollback.phases;
    let millis = |value: Option<f64>| value.map(|value| format!("{value:.1} ms"));
    let detected = phases.detected.zip(phases.decided).map(|(detected, decided)| {
        let seconds = decided.duration_since(detected).as_secs();
        crate::cli::span::in_words(u64::try_from(seconds).unwrap_or_default())
    });
    let applied = phases.applied_last_ms.map(|last| {
        let of = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |value| format!("{value:.1}"));
        format!("p50 {} ms, p99 {} ms, last {last:.1} ms", of(phases.applied_p50_ms), of(phases.applied_p99_ms))
    });
    let known = [
        ("detected → decided", detected),
        ("decided → committed", millis(phases.commit_ms)),
        ("committed → applied", applied),
        ("committed → healthy", millis(phases.healthy_ms)),
    ];
    let known: Vec<(&str, String)> = known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    facts(&known)
}
