//! The reference of the command line, made from the types of its arguments: Markdown and man pages.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Arg, Args, Command};

use super::exit::{Exit, Failure};
use super::output::{note, print_data};

/// Write man pages, one for each command
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord man --out ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// The folder to write to; it is created if it does not exist
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Print the command reference in Markdown
#[derive(Debug, Args)]
#[command(hide = true)]
pub(crate) struct HelpMarkdown {}

/// Writes the man pages.
pub(crate) fn man(command: &Man, of: Command) -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| Failure::Local(format!("cannot write man pages to {}: {error}", command.out.display()));
    std::fs::create_dir_all(&command.out).map_err(failed)?;
    clap_mangen::generate_to(of, Path::new(&command.out)).map_err(failed)?;
    note(&format!("Wrote the man pages to {}.", command.out.display()));
    Ok(Exit::Done)
}

/// Prints the reference.
pub(crate) fn help_markdown(of: Command) -> Exit {
    print_data(&markdown(of));
    Exit::Done
}

/// The reference of `command` and its subcommands.
pub(crate) fn markdown(mut command: Command) -> String {
    command.build();
    let mut text = String::from("# Command line\n\nGenerated from the program: `ripcord help-markdown > server/docs/cli.md`.\n");
    let globals: Vec<&Arg> = command
        .get_arguments()
        .filter(|argument| argument.is_global_set() && !argument.is_hide_set())
        .collect();
    text.push_str("\n## Global options\n\n");
    options(&mut text, &globals);
    for subcommand in command.get_subcommands().filter(|subcommand| is_shown(subcommand)) {
        section(&mut text, subcommand, "ripcord", 2);
    }
    text
}

fn is_shown(command: &Command) -> bool {
    !command.is_hide_set() && command.get_name() != "help"
}

fn section(text: &mut String, command: &Command, parent: &str, level: usize) {
    let path = format!("{parent} {}", command.get_name());
    // Writing to a String cannot fail.
    let _ = write!(text, "\n{} {path}\n", "#".repeat(level));
    let about = command.get_long_about().or_else(|| command.get_about());
    if let Some(about) = about {
        let _ = write!(text, "\n{}\n", escaped(about.to_string().trim()));
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let _ = write!(text, "\n```text\n{usage}\n```\n");
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|argument| !argument.is_global_set() && !argument.is_hide_set() && !matches!(argument.get_id().as_str(), "help" | "version"))
        .collect();
    if !own.is_empty() {
        text.push('\n');
        options(text, &own);
    }
    if let Some(after) = command.get_after_help() {
        let _ = write!(text, "\n```text\n{}\n```\n", after.to_string().trim());
    }
    for subcommand in command.get_subcommands().filter(|subcommand| is_shown(subcommand)) {
        section(text, subcommand, &path, level + 1);
    }
}

fn options(text: &mut String, arguments: &[&Arg]) {
    text.push_str("| argument | meaning |\n| --- | --- |\n");
    for argument in arguments {
        let help = argument
            .get_long_help()
            .or_else(|| argument.get_help())
            .map(ToString::to_string)
            .unwrap_or_default();
        let mut meaning = help.replace('\n', " ");
        if let Some(variable) = argument.get_env().filter(|_| !meaning.contains("[env:")) {
            let _ = write!(meaning, " [env: {}]", variable.to_string_lossy());
        }
        let defaults: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
        if argument.get_action().takes_values() && !defaults.is_empty() && !argument.is_hide_default_value_set() {
            let _ = write!(meaning, " [default: {}]", defaults.join(", "));
        }
        let _ = writeln!(
            text,
            "| `{}` | {} |",
            spelled(argument).replace('|', "\\|"),
            escaped(&meaning).replace('|', "\\|")
        );
    }
}

/// `-f, --file FILE`
fn spelled(argument: &Arg) -> String {
    let names: Vec<_> = argument
        .get_value_names()
        .unwrap_or_default()
        .iter()
        .map(|name| name.as_str().to_owned())
        .collect();
    let value = if argument.get_action().takes_values() {
        names.join(" ")
    } else {
        String::new()
    };
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    match (short, long) {
        (None, None) => value,
        (short, long) => {
            let names: Vec<_> = short.into_iter().chain(long).collect();
            format!("{} {value}", names.join(", ")).trim().to_owned()
        }
    }
}

/// Without what Markdown would read as HTML.
fn escaped(text: &str) -> String {
    text.replace('<', "&lt;").replace('>', "&gt;")
}
