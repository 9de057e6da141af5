//! Hints for a wrong command line, in addition to clap's message: commands that have another name, and old spellings.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Commands that people look for, and where to find them.
const COMMANDS: &[(&str, &str)] = &[
    ("revert", "To return flags to an earlier state: ripcord rollback --help"),
    (
        "undo",
        "To undo a rollback: ripcord rollback undo ROLLBACK_ID. To lift a kill: ripcord restore --flag FLAG --reason \"…\"",
    ),
    ("unkill", "To lift a kill: ripcord restore --flag FLAG --reason \"…\""),
    ("log", "To see who changed what: ripcord audit"),
    ("history", "To see who changed what: ripcord audit"),
    ("version", "For the version: ripcord --version"),
    (
        "status",
        "For kills: ripcord kill list. For the environment: ripcord env show. For the setup: ripcord doctor",
    ),
    ("apps", "To see how many applications are connected and up to date: ripcord doctor"),
    ("applications", "To see how many applications are connected and up to date: ripcord doctor"),
    (
        "diff",
        "To compare files with the environment: ripcord plan -f FILE. With a checkpoint: ripcord checkpoint show CHECKPOINT",
    ),
    ("login", "Set RIPCORD_SERVER and RIPCORD_KEY, or add a profile to ~/.config/ripcord/config.toml"),
    ("flag", "The command is: ripcord flags"),
    ("segment", "The command is: ripcord segments"),
    ("key", "The command is: ripcord keys"),
    ("environment", "The command is: ripcord env"),
    ("environments", "The command is: ripcord env list"),
    ("start", "To start a server: ripcord serve"),
    ("server", "To start a server: ripcord serve"),
];

/// Options that had another name.
const OPTIONS: &[(&str, &str)] = &[
    ("--flags", "--flag"),
    ("--tags", "--tag"),
    ("--timeout", "--wait"),
    ("--changes-served", "--allow-killed-edit"),
    ("--unjudged", "--no-gates"),
    ("--for", "--env"),
    ("--environment", "--env"),
    ("--list", "list (a subcommand)"),
    ("--message", "--reason"),
    ("--rebuckets-everybody", "--reassign-users"),
    ("--disarmed", "--state disarmed"),
];

/// Commands whose file was once given without `-f`.
const FILES: &[&str] = &["rollout start", "import flagd", "trigger test"];

/// A hint, if there is more to say than clap does. `line` is the command line.
pub(crate) fn hint(error: &clap::Error, line: &[String]) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        Some(_) | None => None,
    };
    let command = text(ContextKind::InvalidSubcommand);
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(name) = command
    {
        return COMMANDS.iter().find(|(other, _)| *other == name).map(|(_, hint)| (*hint).to_owned());
    }
    let given = text(ContextKind::InvalidArg)?;
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let name = given.split('=').next().unwrap_or(given);
    if let Some((old, new)) = OPTIONS.iter().find(|(old, _)| *old == name) {
        return Some(format!("{old} is now {new}"));
    }
    let words: Vec<&str> = line.iter().skip(1).map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let takes_file = FILES.iter().any(|path| words.starts_with(&path.split(' ').collect::<Vec<_>>()));
    (takes_file && !given.starts_with("--")).then(|| format!("The file is now given with -f: -f {given}"))
}

/// Whether the command that clap suggests is misleading.
pub(crate) fn replaces_suggestion(error: &clap::Error) -> bool {
    error.kind() == ErrorKind::InvalidSubcommand
}
