//! `ripcord completions`: for the shell.

use clap::{Args, Command};
use clap_complete::Shell;

use super::exit::Exit;
use super::output::print;

/// Print a completion script for a shell
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

/// Does it.
pub(crate) fn run(command: &Completions, mut of: Command) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut of, "ripcord", &mut script);
    print(&String::from_utf8_lossy(&script));
    Exit::Done
}
