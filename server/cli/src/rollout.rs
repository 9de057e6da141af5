//! `ripcord rollout`: starts rollouts, follows them, and stops them.

mod actions;
mod follow;
mod messages;
mod start;

use clap::{Args, Subcommand};
use ripcord_proto::RolloutId;
use ripcord_proto::rollout::Rollout;

use super::answer::Answer;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::ids::{self, IdArg};
use super::table::table;

/// Raise exposure step by step, checked by gates
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord rollout start -f plan.yaml --reason \"checkout 2.14\"
  ripcord rollout wait ro_01jd3x7q8v9w0y2z4a6b8c0d2e --wait 2h
  ripcord rollout show ro_01jd3x7q8v9w0y2z4a6b8c0d2e
  ripcord rollout approve ro_01jd3x7q8v9w0y2z4a6b8c0d2e
  ripcord rollout rollback ro_01jd3x7q8v9w0y2z4a6b8c0d2e --reason \"5xx\"")]
pub(crate) struct RolloutCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Start(Box<start::Start>),
    /// List rollouts, newest first
    List {
        /// List at most this many
        #[arg(long, value_name = "NUMBER", default_value_t = 50)]
        limit: usize,
    },
    /// Show a rollout: its steps, gates and state
    Show {
        /// The rollout's id, or the beginning of it
        #[arg(value_name = "ROLLOUT_ID")]
        id: IdArg<RolloutId>,
    },
    Watch(follow::WatchRollout),
    Wait(follow::WaitForRollout),
    /// Hold a rollout at its current step
    Pause(actions::Act),
    /// Continue a rollout that is held
    Resume(actions::Act),
    /// Start the next step now; approvals and failing gates still apply
    Advance(actions::Act),
    /// End a rollout; exposure stays as it is
    Abort(actions::Act),
    /// End a rollout and undo what it changed
    Rollback(actions::Act),
    /// Approve the next step that needs it
    Approve(actions::Act),
}

pub(crate) async fn run(call: &Context, command: RolloutCommand) -> Result<Exit, Failure> {
    match command.command {
        Command::Start(command) => start::run(call, *command).await,
        Command::List { limit } => list(call, limit).await,
        Command::Show { id } => show(call, &id.resolved(call).await?).await,
        Command::Watch(command) => follow::watch(call, command).await,
        Command::Wait(command) => follow::wait(call, command).await,
        Command::Pause(command) => actions::run(call, "pause", command).await,
        Command::Resume(command) => actions::run(call, "resume", command).await,
        Command::Advance(command) => actions::run(call, "advance", command).await,
        Command::Abort(command) => actions::run(call, "abort", command).await,
        Command::Rollback(command) => actions::run(call, "rollback", command).await,
        Command::Approve(command) => actions::run(call, "approve", command).await,
    }
}

async fn list(call: &Context, limit: usize) -> Result<Exit, Failure> {
    let rollouts: Answer<Vec<Rollout>> = call.client.list(&call.path(&["rollouts"]), limit).await?;
    call.output.answer(&rollouts, |rollouts| {
        if rollouts.is_empty() {
            return format!("{} has no rollouts. To start one: `ripcord rollout start -f FILE`", call.environment());
        }
        let ids = ids::short(rollouts.iter().map(|rollout| rollout.id.as_str()));
        let rows = rollouts.iter().zip(ids).map(|(rollout, id)| {
            let step = format!("{}/{}", rollout.step, rollout.plan.last());
            [
                id.to_owned(),
                rollout.plan.flag.to_string(),
                step,
                messages::name(rollout.state).to_owned(),
                rollout.reason.clone(),
            ]
        });
        table(["rollout", "flag", "step", "state", "reason"], rows)
    });
    Ok(Exit::Done)
}

async fn show(call: &Context, id: &RolloutId) -> Result<Exit, Failure> {
    let rollout = actions::get(call, id).await?;
    call.output.answer(&rollout, |rollout| messages::whole(rollout, call.output.paint()));
    Ok(Exit::Done)
}
