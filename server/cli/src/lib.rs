#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "a test that fails may panic"
    )
)]
//! The command line: a file per command. Every command but `serve`, `demo`, `lint`, `schema` and `completions` talks to a server over
//! HTTP and nothing else, so that whatever it can do, any program can do. `drill` starts servers and applications of its own
//! beside that.
//!
//! ```text
//! Arguments -> Target (which server, which key) -> Context -> a command -> Output (text or --json) -> Exit
//! ```

mod apply;
mod audit;
mod backup;
mod changes;
mod checkpoint;
mod client;
mod completions;
mod confirm;
mod context;
mod demo;
mod discovery;
mod doctor;
mod drill;
mod duration;
mod env;
mod environment_state;
mod exit;
mod export;
mod files;
mod flags;
mod gate;
mod import;
mod input;
mod keys;
mod kill;
mod lint;
mod log_entry;
mod output;
mod ping;
mod plan;
mod promote;
mod proposal;
mod release;
mod restore;
mod rollback;
mod rollout;
mod sample_flags;
mod schema;
mod segments;
mod server;
mod signals;
mod snapshot;
mod source;
mod target;
mod tasks;
mod trigger;
mod watch;
mod write;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use ripcord_proto::EnvironmentKey;
use ripcord_proto::duration::HumanDuration;

use self::client::ClientError;
use self::context::Context;
use self::exit::{Exit, Failure};

pub use self::discovery::{Announcement, DiscoveryError, Keep, Key};
pub use self::output::{Format, Output, Paint, facts, indented, note, print};
pub use self::server::{OwnServer, Server, ServerError, Started};
pub use self::signals::Signals;

/// Feature flags that can be taken back in one atomic revision, with proof.
#[derive(Parser)]
#[command(
    name = "ripcord",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  ripcord demo                                    all of it in one terminal
  ripcord serve                                   a server
  ripcord apply -f flags.yaml                     what the file says
  ripcord kill checkout-v2 --reason \"5xx spike\"   the safe variant, now

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by a guard or
waiting for a second person, 4 not confirmed in time."
)]
struct Arguments<S: Server> {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command<S>,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
#[expect(clippy::doc_markdown, reason = "these comments are the help, which is no markdown")]
pub(crate) struct Global {
    /// Where the server answers [env: RIPCORD_SERVER] [default: the server on this machine]
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// The key to call with [env: RIPCORD_KEY]
    #[arg(long, global = true, value_name = "KEY", hide_default_value = true)]
    key: Option<String>,
    /// The environment [env: RIPCORD_ENV] [default: production]
    #[arg(long = "env", global = true, value_name = "NAME")]
    environment: Option<EnvironmentKey>,
    /// Print the API's JSON
    #[arg(long, global = true)]
    json: bool,
    /// Where a second person is needed, wait this long for one (30m, 2h) [env: RIPCORD_AWAIT_APPROVAL]
    #[arg(long, global = true, value_name = "TIME", env = "RIPCORD_AWAIT_APPROVAL", hide_env = true)]
    await_approval: Option<HumanDuration>,
    /// Trust the certificates in this PEM file too [env: RIPCORD_CA_CERT]
    #[arg(long, global = true, value_name = "FILE", env = "RIPCORD_CA_CERT", hide_env = true)]
    ca_cert: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command<S: Server> {
    Serve(S::Arguments),
    Demo(demo::Demo),
    #[command(flatten)]
    Remote(Remote),
    Lint(lint::Lint),
    Completions(completions::Completions),
    Schema(schema::SchemaCommand),
}

/// The commands that ask a server.
#[derive(Debug, Subcommand)]
enum Remote {
    Doctor(doctor::Doctor),
    Kill(kill::KillCommand),
    Restore(restore::Restore),
    Rollout(rollout::RolloutCommand),
    Proposal(proposal::ProposalCommand),
    Gate(gate::GateCommand),
    Trigger(trigger::TriggerCommand),
    Rollback(Box<rollback::RollbackCommand>),
    Ping(ping::Ping),
    Checkpoint(checkpoint::Checkpoint),
    Release(release::Release),
    Watch(watch::Watch),
    Audit(audit::Audit),
    Apply(apply::Apply),
    Plan(plan::Plan),
    Promote(promote::Promote),
    Export(export::Export),
    Import(import::Import),
    Flags(flags::Flags),
    Segments(segments::Segments),
    Env(env::Env),
    Keys(keys::Keys),
    Backup(backup::Backup),
    Drill(drill::DrillCommand),
}

/// Reads the command line, does what it says, and answers with the exit code.
pub fn run<S: Server>() -> ExitCode {
    let arguments = match Arguments::<S>::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help that was asked for is printed by the same way and is no error.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let format = if arguments.global.json { Format::Json } else { Format::Text };
    let output = Output::new(format);
    match dispatch(arguments, output) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            match format {
                Format::Json => note(&failure.json()),
                Format::Text => note(&failure.describe(output.error_paint())),
            }
            failure.exit().into()
        }
    }
}

fn dispatch<S: Server>(arguments: Arguments<S>, output: Output) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Serve(command) => Ok(S::serve(command, output).map(|()| Exit::Done)?),
        Command::Demo(command) => demo::run::<S>(output, &command),
        Command::Lint(command) => lint::run(output, &command),
        Command::Completions(command) => Ok(completions::run(&command, Arguments::<S>::command())),
        Command::Schema(command) => schema::run(&command),
        Command::Remote(command) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| Failure::Local(format!("No runtime can be started: {error}.")))?;
            let call = Context::new(&arguments.global, output)?;
            runtime.block_on(ask(&call, command))
        }
    }
}

async fn ask(call: &Context, command: Remote) -> Result<Exit, Failure> {
    match Box::pin(answer(call, command)).await {
        Err(Failure::Client(ClientError::Proposed(proposed))) => proposal::made(call, *proposed).await,
        ended => ended,
    }
}

async fn answer(call: &Context, command: Remote) -> Result<Exit, Failure> {
    match command {
        Remote::Doctor(command) => doctor::run(call, command).await,
        Remote::Kill(command) => kill::run(call, command).await,
        Remote::Restore(command) => restore::run(call, command).await,
        Remote::Rollout(command) => rollout::run(call, command).await,
        Remote::Proposal(command) => proposal::run(call, command).await,
        Remote::Gate(command) => gate::run(call, command).await,
        Remote::Trigger(command) => trigger::run(call, command).await,
        Remote::Rollback(command) => rollback::run(call, *command).await,
        Remote::Ping(command) => ping::run(call, command).await,
        Remote::Checkpoint(command) => checkpoint::run(call, command).await,
        Remote::Release(command) => release::run(call, command).await,
        Remote::Watch(command) => watch::run(call, command).await,
        Remote::Audit(command) => audit::run(call, command).await,
        Remote::Apply(command) => apply::run(call, command).await,
        Remote::Plan(command) => plan::run(call, command).await,
        Remote::Promote(command) => promote::run(call, command).await,
        Remote::Export(command) => export::run(call, command).await,
        Remote::Import(command) => import::run(call, command).await,
        Remote::Flags(command) => flags::run(call, command).await,
        Remote::Segments(command) => segments::run(call, command).await,
        Remote::Env(command) => env::run(call, command).await,
        Remote::Keys(command) => keys::run(call, command).await,
        Remote::Backup(command) => backup::run(call, command).await,
        Remote::Drill(command) => drill::run(call, command).await,
    }
}

#[cfg(test)]
mod tests;
