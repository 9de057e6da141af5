//! `ripcord trigger`: creates and switches triggers, lists what they did, and answers what they ask.

mod confirm;
mod create;
mod messages;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ripcord_proto::TriggerName;
use ripcord_proto::rest::triggers::{FiringView, TriggerDetail, TriggerPatch, TriggerTestRequest, TriggerTestResponse, TriggerView};
use ripcord_proto::trigger::TriggerState;
use serde::de::IgnoredAny;

use super::answer::Answer;
use super::client::Call;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::input;
use super::input::ListArgs;
use super::table::table;

/// Hold, roll back or kill automatically on alerts and gates
///
/// The policy of the environment decides whether triggers act, ask or only record: `ripcord env policy set --triggers ask`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord trigger create errors --source alertmanager --rollback open-release
  ripcord trigger create smoke --source gate --gate smoke --kill
  ripcord trigger test errors -f webhook.json
  ripcord trigger firings
  ripcord trigger confirm f_01jd3x7q8v9w0y2z4a6b8c0d2e
  ripcord trigger disarm errors --reason \"the monitoring is wrong\"")]
pub(crate) struct TriggerCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(Box<create::Create>),
    /// List the triggers
    List(ListArgs),
    /// Show a trigger and its last actions
    Show {
        /// The trigger's name
        #[arg(value_name = "TRIGGER")]
        name: TriggerName,
    },
    /// Enable it
    Arm(NamedTrigger),
    /// Stop it from acting on signals
    Disarm(NamedTrigger),
    /// Only record what it would do
    DryRun(NamedTrigger),
    /// Try a signal: would it fire, and what would it do? Nothing is changed
    Test {
        /// The trigger's name
        #[arg(value_name = "TRIGGER")]
        name: TriggerName,
        /// The body of a signal, as JSON; `-` reads the standard input
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
    },
    /// Delete it; its history is kept
    Delete(NamedTrigger),
    /// List what triggers did and what they ask, newest first
    Firings {
        /// List at most this many
        #[arg(long, value_name = "NUMBER", default_value_t = 50)]
        limit: usize,
    },
    /// Approve a pending firing: it acts now
    Confirm(confirm::Reply),
    /// Decline a pending firing
    Decline(confirm::Reply),
}

/// Which trigger, and why.
#[derive(Debug, Args)]
struct NamedTrigger {
    /// The trigger's name
    #[arg(value_name = "TRIGGER")]
    name: TriggerName,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) async fn run(call: &Context, command: TriggerCommand) -> Result<Exit, Failure> {
    match command.command {
        Command::Create(command) => create::run(call, &command).await,
        Command::List(arguments) => list(call, arguments).await,
        Command::Show { name } => show(call, &name).await,
        Command::Arm(switch) => turn(call, switch, TriggerState::Armed).await,
        Command::Disarm(switch) => turn(call, switch, TriggerState::Disarmed).await,
        Command::DryRun(switch) => turn(call, switch, TriggerState::DryRun).await,
        Command::Test { name, file } => test(call, &name, &file).await,
        Command::Delete(switch) => delete(call, &switch).await,
        Command::Firings { limit } => firings(call, limit).await,
        Command::Confirm(reply) => confirm::run(call, "confirm", reply).await,
        Command::Decline(reply) => confirm::run(call, "decline", reply).await,
    }
}

async fn list(call: &Context, arguments: ListArgs) -> Result<Exit, Failure> {
    let triggers: Answer<Vec<TriggerView>> = call.client.list(&call.path(&["triggers"]), arguments.most()).await?;
    call.output.answer(&triggers, |triggers| {
        if triggers.is_empty() {
            return format!("{} has no triggers. To create one, see `ripcord trigger create --help`.", call.environment());
        }
        let rows = triggers.iter().map(|trigger| {
            let (state, mode) = (trigger.state.to_string(), trigger.mode.to_string());
            [trigger.name.to_string(), trigger.source.kind().to_owned(), state, mode, trigger.message.clone()]
        });
        table(["trigger", "source", "state", "mode", "does"], rows)
    });
    Ok(Exit::Done)
}

async fn show(call: &Context, name: &TriggerName) -> Result<Exit, Failure> {
    let detail: Answer<TriggerDetail> = call.client.call(Call::get(call.path(&["triggers", name.as_str()]))).await?;
    call.output.answer(&detail, |detail| messages::detail(call, detail));
    Ok(Exit::Done)
}

async fn turn(call: &Context, switch: NamedTrigger, state: TriggerState) -> Result<Exit, Failure> {
    let patch = TriggerPatch {
        state: Some(state),
        reason: switch.reason,
        ..TriggerPatch::default()
    };
    let patch = Call::patch(call.path(&["triggers", switch.name.as_str()])).json(&patch)?;
    let changed: Answer<TriggerView> = call.client.call(patch).await?;
    call.output.answer(&changed, messages::state);
    Ok(Exit::Done)
}

async fn test(call: &Context, name: &TriggerName, file: &std::path::Path) -> Result<Exit, Failure> {
    let text = input::text(file)?;
    let payload = ripcord_proto::rest::parse_json(&text).map_err(|faults| Failure::File {
        file: input::name(file),
        faults,
    })?;
    let post = Call::ask(call.path(&["triggers", name.as_str(), "test"])).json(&TriggerTestRequest { payload })?;
    let answer: Answer<TriggerTestResponse> = call.client.call(post).await?;
    let matched = answer.value.matched;
    call.output.answer(&answer, messages::tried);
    Ok(if matched { Exit::Done } else { Exit::Refused })
}

async fn delete(call: &Context, switch: &NamedTrigger) -> Result<Exit, Failure> {
    let delete = Call::delete(call.path(&["triggers", switch.name.as_str()])).query("reason", switch.reason.as_ref());
    let answer: Answer<IgnoredAny> = call.client.call(delete).await?;
    call.output
        .answer(&answer, |_| format!("Deleted trigger {}. Its hook no longer accepts signals.", switch.name));
    Ok(Exit::Done)
}

async fn firings(call: &Context, limit: usize) -> Result<Exit, Failure> {
    let firings: Answer<Vec<FiringView>> = call.client.list(&call.path(&["firings"]), limit).await?;
    call.output.answer(&firings, |firings| messages::firings(call, firings));
    Ok(Exit::Done)
}
