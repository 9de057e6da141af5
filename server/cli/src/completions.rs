//! `ripcord completions`: for the shell. The script asks this program for candidates, and the program asks the server: which flags,
//! tags, environments, kills, checkpoints and releases there are.

use std::ffi::OsStr;
use std::time::Duration;

use clap::{Arg, Args, Command, ValueEnum};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::Shells;
use ripcord_proto::rest::checkpoints::CheckpointView;
use ripcord_proto::rest::environments::EnvironmentView;
use ripcord_proto::rest::flags::FlagView;
use ripcord_proto::rest::kills::KillView;
use ripcord_proto::rest::releases::ReleaseView;
use ripcord_proto::rest::segments::SegmentView;
use ripcord_proto::rest::triggers::TriggerView;

use super::answer::{Answer, ClientError};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::global::Global;
use super::output::{Format, Output, print_data};
use super::rivals::Purpose;

/// How long the server may take; a slow shell is worse than one without candidates.
const PATIENCE: Duration = Duration::from_millis(700);
/// Candidates at most.
const MOST: usize = 500;
/// The variable with which the script requests candidates.
pub(crate) const VARIABLE: &str = "COMPLETE";

/// Print a completion script for a shell
///
/// It completes commands and options, and asks the server for flags, tags, environments, kills, checkpoints and releases.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord completions bash > /etc/bash_completion.d/ripcord
  ripcord completions zsh > ~/.zfunc/_ripcord
  ripcord completions fish > ~/.config/fish/completions/ripcord.fish")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

/// Prints the script.
pub(crate) fn run(command: &Completions) -> Result<Exit, Failure> {
    let name = match command.shell {
        Shell::Bash => "bash",
        Shell::Elvish => "elvish",
        Shell::Fish => "fish",
        Shell::Powershell => "powershell",
        Shell::Zsh => "zsh",
    };
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let shell = shells
        .completer(name)
        .ok_or_else(|| Failure::Local(format!("completion for {name} is not available")))?;
    shell
        .write_registration(VARIABLE, "ripcord", "ripcord", "ripcord", &mut script)
        .map_err(|error| Failure::Local(format!("cannot write the script: {error}")))?;
    print_data(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}

/// What the server can complete.
#[derive(Debug, Clone, Copy)]
enum NameKind {
    Flags,
    Tags,
    Environments,
    Kills,
    Checkpoints,
    Releases,
    Segments,
    Triggers,
    Rollbacks,
    Rollouts,
    Proposals,
    Drills,
    Firings,
}

/// Words that an argument takes, by the name of its value.
const CHOICES: &[(&str, &[&str])] = &[
    ("ROLE", &["sdk", "client", "viewer", "pipeline", "oncall", "editor", "admin"]),
    ("MODE", &["automatic", "ask", "off"]),
    ("LIST", &["changes", "rollouts", "rollback", "restore", "none"]),
    ("YES_OR_NO", &["yes", "no"]),
    ("STORE", &["embedded", "redis"]),
];

/// The command with completers at every argument whose value has a name that the server knows.
pub(crate) fn completed(command: Command) -> Command {
    let command = command.mut_args(with_completer);
    command.mut_subcommands(completed)
}

fn with_completer(argument: Arg) -> Arg {
    let name = argument.get_value_names().and_then(|names| names.first()).map(clap::builder::Str::as_str);
    if let Some((_, choices)) = CHOICES.iter().find(|(of, _)| name == Some(*of)) {
        let fixed = |current: &OsStr| fitting(current, choices.iter().map(|choice| ((*choice).to_owned(), None)));
        return argument.add(ArgValueCompleter::new(fixed));
    }
    let kind = match name {
        Some("FLAG") => NameKind::Flags,
        Some("TAG") => NameKind::Tags,
        Some("ENV") => NameKind::Environments,
        Some("KILL_ID") => NameKind::Kills,
        Some("CHECKPOINT" | "TARGET") => NameKind::Checkpoints,
        Some("RELEASE") => NameKind::Releases,
        Some("SEGMENT") => NameKind::Segments,
        Some("TRIGGER") => NameKind::Triggers,
        Some("ROLLBACK_ID") => NameKind::Rollbacks,
        Some("ROLLOUT_ID") => NameKind::Rollouts,
        Some("PROPOSAL_ID") => NameKind::Proposals,
        Some("DRILL_ID") => NameKind::Drills,
        Some("FIRING_ID") => NameKind::Firings,
        Some(_) | None => return argument,
    };
    argument.add(ArgValueCompleter::new(move |current: &OsStr| candidates(kind, current)))
}

/// Silent on every failure: a shell cannot show errors here.
fn candidates(kind: NameKind, current: &OsStr) -> Vec<CompletionCandidate> {
    fitting(current, asked(kind).unwrap_or_default())
}

/// Those of `names` that begin with what was typed. Of a list with commas the last item is completed.
fn fitting(current: &OsStr, names: impl IntoIterator<Item = (String, Option<String>)>) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let (before, last) = current.rsplit_once(',').map_or(("", current), |(before, last)| (before, last));
    let before = if before.is_empty() { String::new() } else { format!("{before},") };
    let fitting = names.into_iter().filter(|(name, _)| name.starts_with(last)).take(MOST);
    fitting
        .map(|(name, help)| CompletionCandidate::new(format!("{before}{name}")).help(help.map(Into::into)))
        .collect()
}

/// Names, each with an optional description.
type Names = Vec<(String, Option<String>)>;

fn asked(kind: NameKind) -> Option<Names> {
    let words: Vec<String> = std::env::args().collect();
    let given = |name: &str| {
        let with_value = words.iter().find_map(|word| word.strip_prefix(&format!("{name}=")).map(str::to_owned));
        with_value.or_else(|| {
            words
                .windows(2)
                .find_map(|pair| (pair.first()? == name).then(|| pair.get(1).cloned()).flatten())
        })
    };
    let environment = given("--env").and_then(|text| text.split(',').next()?.parse().ok());
    let global = Global {
        server: given("--server"),
        key: given("--key"),
        key_file: given("--key-file").map(Into::into),
        profile: given("--profile"),
        environment: environment.into_iter().collect(),
        ..Global::default()
    };
    let context = Context::new(&global, Output::new(Format::Json), Purpose::Other).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async { tokio::time::timeout(PATIENCE, names(&context, kind)).await.ok()?.ok() })
}

async fn names(context: &Context, kind: NameKind) -> Result<Names, ClientError> {
    let client = &context.client;
    let plain = |names: Vec<String>| names.into_iter().map(|name| (name, None)).collect();
    Ok(match kind {
        NameKind::Flags => {
            let flags: Answer<Vec<FlagView>> = client.list(&context.path(&["flags"]), usize::MAX).await?;
            plain(flags.value.iter().map(|view| view.key.to_string()).collect())
        }
        NameKind::Tags => {
            #[derive(serde::Deserialize)]
            struct Tagged {
                #[serde(default)]
                tags: Vec<String>,
            }
            let flags: Answer<Vec<FlagView>> = client.list(&context.path(&["flags"]), usize::MAX).await?;
            let tagged = flags.value.iter().filter_map(|view| serde_json::from_str::<Tagged>(view.flag.get()).ok());
            let tags: std::collections::BTreeSet<String> = tagged.flat_map(|flag| flag.tags).collect();
            plain(tags.into_iter().collect())
        }
        NameKind::Environments => {
            let environments: Answer<Vec<EnvironmentView>> = client.list(&["v1", "environments"], usize::MAX).await?;
            plain(environments.value.iter().map(|view| view.key.to_string()).collect())
        }
        NameKind::Kills => {
            let kills: Answer<Vec<KillView>> = client.list(&context.path(&["kills"]), usize::MAX).await?;
            kills
                .value
                .iter()
                .map(|view| (view.kill.id.to_string(), Some(view.kill.scope.to_string())))
                .collect()
        }
        NameKind::Checkpoints => {
            let checkpoints: Answer<Vec<CheckpointView>> = client.list(&context.path(&["checkpoints"]), MOST).await?;
            let names = checkpoints.value.iter().map(|view| view.checkpoint.name.to_string());
            plain(std::iter::once("last-known-good".to_owned()).chain(names).collect())
        }
        NameKind::Releases => {
            let releases: Answer<Vec<ReleaseView>> = client.list(&context.path(&["releases"]), MOST).await?;
            plain(releases.value.iter().map(|view| view.release.name.to_string()).collect())
        }
        NameKind::Segments => {
            let segments: Answer<Vec<SegmentView>> = client.list(&context.path(&["segments"]), usize::MAX).await?;
            plain(segments.value.iter().map(|view| view.key.to_string()).collect())
        }
        NameKind::Triggers => {
            let triggers: Answer<Vec<TriggerView>> = client.list(&context.path(&["triggers"]), usize::MAX).await?;
            plain(triggers.value.iter().map(|view| view.name.to_string()).collect())
        }
        NameKind::Rollbacks => ids(context, "rollbacks").await?,
        NameKind::Rollouts => ids(context, "rollouts").await?,
        NameKind::Proposals => ids(context, "proposals").await?,
        NameKind::Drills => ids(context, "drills").await?,
        NameKind::Firings => ids(context, "firings").await?,
    })
}

/// The ids of a collection, newest first.
async fn ids(context: &Context, collection: &str) -> Result<Names, ClientError> {
    #[derive(serde::Deserialize)]
    struct Item {
        id: String,
    }
    let items: Answer<Vec<Item>> = context.client.list(&context.path(&[collection]), MOST).await?;
    Ok(items.value.into_iter().map(|item| (item.id, None)).collect())
}
