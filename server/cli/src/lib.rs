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
//! The command line: a file per command. Commands import no other command; what they share has a file of its own. Every command but
//! `serve`, `demo`, `lint`, `schema`, `man` and `completions` talks to a server over HTTP and nothing else, so any HTTP client can do
//! the same. `drill` also starts servers and applications of its own.
//!
//! ```text
//! Arguments -> Target (which server, which key) -> Context -> a command -> Output (text or --json) -> Exit
//! ```

mod answer;
mod apply;
mod audit;
mod backup;
mod bucketing;
mod call;
mod caller;
mod changes;
mod checkpoint;
mod client;
mod completions;
mod config;
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
mod global;
mod help;
mod hints;
mod ids;
mod import;
mod input;
mod keys;
mod kill;
mod lint;
mod log_entry;
mod output;
mod patience;
mod ping;
mod plan;
mod promote;
mod proposal;
mod proxies;
mod reference;
mod release;
mod restore;
mod rivals;
mod rollback;
mod rollout;
mod sample_flags;
mod schema;
mod segments;
mod server;
mod settings_file;
mod signals;
mod snapshot;
mod source;
mod table;
mod target;
mod tasks;
mod terminal;
mod trigger;
mod variables;
mod watch;
mod wrap;
mod write;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ContextKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::CompleteEnv;

use self::answer::ClientError;
use self::context::Context;
use self::exit::{Exit, Failure};
use self::global::Global;
use self::rivals::Purpose;

pub use self::discovery::{Announcement, DiscoveryError, Keep, Key, hold};
pub use self::output::{Format, Output, Paint, facts, indented, note, print};
pub use self::server::{OwnServer, Server, ServerError, Started};
pub use self::signals::Signals;

/// Feature flags, and the way back: kill, roll back, confirm
#[derive(Parser)]
#[command(
    name = "ripcord",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  ripcord demo                                    try it in one terminal
  ripcord serve                                   start a server
  ripcord apply -f flags.yaml                     apply a flags file
  ripcord kill checkout-v2 --reason \"5xx spike\"   serve the safe variant, now

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by a guard or waiting
for a second person, 4 not confirmed in time."
)]
struct Arguments<S: Server> {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command<S>,
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
    Man(reference::Man),
    HelpMarkdown(reference::HelpMarkdown),
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
    Plan(plan::PlanCommand),
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

/// The whole command line, dressed for people.
fn command<S: Server>() -> clap::Command {
    variables::without_empty(help::dressed(Arguments::<S>::command()), variables::is_empty)
}

/// The reference of the command line in Markdown.
pub fn reference<S: Server>() -> String {
    reference::markdown(command::<S>())
}

/// Reads and runs the command line, and returns the exit code.
pub fn run<S: Server>() -> ExitCode {
    // Printed by the shell's script, which reads nothing else.
    if std::env::var_os(completions::VARIABLE).is_some() {
        let factory = || completions::completed(command::<S>());
        let here = std::env::current_dir().ok();
        match CompleteEnv::with_factory(factory).try_complete(std::env::args_os(), here.as_deref()) {
            Ok(true) => return Exit::Done.into(),
            Ok(false) => {}
            Err(_) => return Exit::Usage.into(),
        }
    }
    let words: Vec<OsString> = std::env::args_os().collect();
    let line: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let arguments = match parsed::<S>(words) {
        Ok(arguments) => arguments,
        Err(Unparsed::Clap(error)) => return wrong(&error, &line),
        Err(Unparsed::SettingsFile(problem)) => {
            note(&format!("error: {problem}"));
            return Exit::Usage.into();
        }
    };
    let format = if arguments.global.json { Format::Json } else { Format::Text };
    let output = Output::new(format);
    match dispatch(arguments, output) {
        Ok(Exit::Done) if output::is_lost() => Exit::Failed.into(),
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.note(output);
            failure.exit().into()
        }
    }
}

/// Why a command line cannot be read.
enum Unparsed {
    Clap(clap::Error),
    SettingsFile(String),
}

/// Reads the command line; `serve --config FILE` a second time, with the file's settings as defaults.
fn parsed<S: Server>(line: impl IntoIterator<Item = OsString> + Clone) -> Result<Arguments<S>, Unparsed> {
    let matches = command::<S>().try_get_matches_from(line.clone()).map_err(Unparsed::Clap)?;
    let file = matches
        .subcommand_matches("serve")
        .and_then(|serve| serve.try_get_one::<PathBuf>("config").ok().flatten().cloned());
    let matches = match file {
        None => matches,
        Some(file) => {
            let mut serve = command::<S>().find_subcommand("serve").cloned().unwrap_or_default();
            serve = settings_file::with_defaults(serve, &file).map_err(Unparsed::SettingsFile)?;
            let whole = command::<S>().mut_subcommand("serve", |_| serve);
            whole.try_get_matches_from(line).map_err(Unparsed::Clap)?
        }
    };
    Arguments::from_arg_matches(&matches).map_err(Unparsed::Clap)
}

/// Says what is wrong with a command line; help that was asked for arrives the same way and is not an error.
fn wrong(error: &clap::Error, line: &[String]) -> ExitCode {
    match hints::hint(error, line) {
        Some(hint) if hints::replaces_suggestion(error) => {
            let name = error.get(ContextKind::InvalidSubcommand).map(ToString::to_string).unwrap_or_default();
            note(&format!("error: there is no command `{name}`\n\n  {hint}"));
        }
        Some(hint) => {
            // What clap says of it stays the first line.
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            note(&format!("{first}\n\n  {hint}"));
        }
        None => {
            if let Err(failed) = error.print() {
                output::check(&failed);
            }
        }
    }
    if output::is_lost() {
        return Exit::Failed.into();
    }
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
}

fn dispatch<S: Server>(arguments: Arguments<S>, output: Output) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Serve(command) => Ok(S::serve(command, output).map(|()| Exit::Done)?),
        Command::Demo(command) => demo::run::<S>(output, &command),
        Command::Lint(command) => lint::run(output, &command),
        Command::Completions(command) => completions::run(&command),
        Command::Man(command) => reference::man(&command, self::command::<S>()),
        Command::HelpMarkdown(_) => Ok(reference::help_markdown(self::command::<S>())),
        Command::Schema(command) => schema::run(&command),
        Command::Remote(command) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| Failure::Local(format!("cannot start the runtime: {error}")))?;
            let call = Context::new(&arguments.global, output, purpose(&command))?;
            if call.environments().len() > 1 && !matches!(command, Remote::Keys(_)) {
                return Err(Failure::Usage("--env takes one environment here".to_owned()));
            }
            runtime.block_on(ask(&call, command))
        }
    }
}

/// Whether it kills.
fn purpose(command: &Remote) -> Purpose {
    if matches!(command, Remote::Kill(command) if command.kills()) {
        Purpose::Kill
    } else {
        Purpose::Other
    }
}

async fn ask(call: &Context, command: Remote) -> Result<Exit, Failure> {
    let ended = match Box::pin(answer(call, command)).await {
        Err(Failure::Client(ClientError::Proposed(proposed))) => proposal::made(call, *proposed).await,
        ended => ended,
    };
    call.name_server();
    ended
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
        Remote::Drill(command) => Box::pin(drill::run(call, command)).await,
    }
}

#[cfg(test)]
mod tests;
