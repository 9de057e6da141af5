//! `ripcord rollout wait` and `watch`: follow a rollout line by line.

use std::time::Duration;

use clap::{Args, ValueEnum};
use ripcord_proto::RolloutId;
use ripcord_proto::duration::HumanDuration;
use ripcord_proto::gate::GateVerdict;
use ripcord_proto::rollout::{Rollout, RolloutState};
use tokio::time::Instant;

use super::{actions, messages};
use crate::answer::{Answer, ClientError};
use crate::context::Context;
use crate::duration;
use crate::exit::{Exit, Failure};
use crate::ids::IdArg;
use crate::output::{Format, Paint, note, print, print_data};
use crate::signals;

/// How often the state is looked up.
const EVERY: Duration = Duration::from_millis(250);
/// How long to keep trying a server that does not answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// Wait until a rollout has ended, with a line per event
///
/// Exit codes: 0 completed; 3 failed, aborted or rolled back; 4 not ended in time. A hold by a gate or a person does not end the
/// wait.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord rollout wait ro_01jd3x7q8v9w0y2z4a6b8c0d2e --wait 2h
  ripcord rollout wait ro_01jd3x7q8v9w0y2z4a6b8c0d2e --on-cancel rollback")]
pub(crate) struct WaitForRollout {
    /// The rollout's id, or the beginning of it
    #[arg(value_name = "ROLLOUT_ID")]
    id: IdArg<RolloutId>,
    /// How long to wait at most (30m, 2h, or seconds); exit code 4 then
    #[arg(long = "wait", id = "wait", value_name = "DURATION", value_parser = duration::long_wait)]
    timeout: Option<HumanDuration>,
    /// What to do with the rollout if this command is interrupted (SIGTERM, Ctrl-C) [default: it continues]
    #[arg(long, value_name = "WHAT")]
    on_cancel: Option<OnCancel>,
}

/// What happens to a rollout whose pipeline is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnCancel {
    /// It is paused at its current step.
    Hold,
    /// Its changes are rolled back.
    Rollback,
}

/// Watch a rollout live, with its gates
#[derive(Debug, Args)]
pub(crate) struct WatchRollout {
    /// The rollout's id, or the beginning of it
    #[arg(value_name = "ROLLOUT_ID")]
    id: IdArg<RolloutId>,
}

pub(super) async fn wait(call: &Context, command: WaitForRollout) -> Result<Exit, Failure> {
    let deadline = command.timeout.map(|wait| Instant::now() + wait.duration());
    follow(call, &command.id.resolved(call).await?, deadline, command.on_cancel).await
}

pub(super) async fn watch(call: &Context, command: WatchRollout) -> Result<Exit, Failure> {
    follow(call, &command.id.resolved(call).await?, None, None).await
}

async fn follow(call: &Context, id: &RolloutId, deadline: Option<Instant>, on_cancel: Option<OnCancel>) -> Result<Exit, Failure> {
    let mut signals = signals::listen()?;
    let mut shown = Shown::default();
    let mut heard = Instant::now();
    loop {
        match actions::get(call, id).await {
            Ok(answer) => {
                heard = Instant::now();
                shown.show(call, &answer);
                if answer.value.state.is_final() {
                    return Ok(finish(call, &answer));
                }
            }
            // Keep following the rollout while a node restarts.
            Err(Failure::Client(ClientError::Unreachable { .. } | ClientError::Silent { .. })) if heard.elapsed() < PATIENCE => {}
            Err(failure) => return Err(failure),
        }
        let next = Instant::now() + EVERY;
        tokio::select! {
            () = tokio::time::sleep_until(deadline.map_or(next, |deadline| deadline.min(next))) => {}
            () = signals.next() => return cancelled(call, id, on_cancel).await,
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            note(&format!(
                "Timed out; rollout {id} continues. To wait again: `{}`",
                call.command(&format!("rollout wait {id}"))
            ));
            return Ok(Exit::Unconfirmed);
        }
    }
}

fn finish(call: &Context, answer: &Answer<Rollout>) -> Exit {
    if call.output.format() == Format::Json {
        print_data(&answer.text);
    }
    match answer.value.state {
        RolloutState::Completed => Exit::Done,
        RolloutState::Aborted | RolloutState::RolledBack | RolloutState::Failed => Exit::Refused,
        RolloutState::Scheduled | RolloutState::Holding | RolloutState::Waiting | RolloutState::Paused => Exit::Unconfirmed,
    }
}

/// The command was interrupted: leaves the rollout in the chosen state, and says which.
async fn cancelled(call: &Context, id: &RolloutId, on_cancel: Option<OnCancel>) -> Result<Exit, Failure> {
    let reason = Some("the pipeline that waited for it was cancelled".to_owned());
    match on_cancel {
        None => {
            note(&format!(
                "Cancelled. Rollout {id} continues without this command. To end it: `{}`",
                call.command(&format!("rollout abort {id}"))
            ));
        }
        Some(OnCancel::Hold) => {
            let answer = actions::post(call, "pause", id, reason).await?;
            note(&format!("Cancelled; rollout {id} is paused: {}", messages::line(&answer.value, Paint::Plain)));
        }
        Some(OnCancel::Rollback) => {
            let answer = actions::post(call, "rollback", id, reason).await?;
            note(&format!(
                "Cancelled; rollout {id} is rolled back: {}",
                messages::line(&answer.value, Paint::Plain)
            ));
        }
    }
    Ok(Exit::Refused)
}

/// What was shown last; only news are printed.
#[derive(Debug, Default)]
struct Shown {
    line: String,
    gates: Vec<(String, GateVerdict)>,
}

impl Shown {
    fn show(&mut self, call: &Context, answer: &Answer<Rollout>) {
        if call.output.format() == Format::Json {
            return;
        }
        let (rollout, paint) = (&answer.value, call.output.paint());
        // Print a step before the results of its gates, and a gate result before its consequence.
        match rollout.state {
            RolloutState::Scheduled | RolloutState::Holding | RolloutState::Waiting => {
                self.line(rollout, paint);
                self.gates(rollout, paint);
            }
            RolloutState::Paused | RolloutState::Completed | RolloutState::Aborted | RolloutState::RolledBack | RolloutState::Failed => {
                self.gates(rollout, paint);
                self.line(rollout, paint);
            }
        }
    }

    fn line(&mut self, rollout: &Rollout, paint: Paint) {
        let line = messages::line(rollout, paint);
        if line != self.line {
            print(&stamped(&line, paint));
            self.line = line;
        }
    }

    fn gates(&mut self, rollout: &Rollout, paint: Paint) {
        for reading in &rollout.gates {
            let known = self.gates.iter().any(|(name, verdict)| *name == reading.name && *verdict == reading.verdict);
            if !known {
                self.gates.retain(|(name, _)| *name != reading.name);
                self.gates.push((reading.name.clone(), reading.verdict));
                print(&stamped(&messages::gate(reading, paint), paint));
            }
        }
    }
}

fn stamped(line: &str, paint: Paint) -> String {
    let now = jiff::Timestamp::now().to_string();
    let now = now.split_once('.').map_or(now.as_str(), |(seconds, _)| seconds);
    format!("{} {line}", paint.faint(&format!("{now}Z")))
}
