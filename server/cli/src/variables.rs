//! Environment variables that are set, but empty.

use clap::builder::Resettable;
use clap::{Arg, Command};

/// The command without the variables for which `is_empty` holds: an empty variable counts as an unset one, as
/// `RIPCORD_CA_CERT=` in a unit file or a compose file means.
///
/// Clap would take the empty text for a value and refuse the whole line, a kill included.
pub(super) fn without_empty(command: Command, is_empty: fn(&std::ffi::OsStr) -> bool) -> Command {
    let ignored = |argument: Arg| match argument.get_env() {
        Some(name) if is_empty(name) => argument.env(Resettable::Reset),
        _ => argument,
    };
    command.mut_args(ignored).mut_subcommands(|command| without_empty(command, is_empty))
}

/// Whether a variable is set to the empty text in this process.
pub(super) fn is_empty(name: &std::ffi::OsStr) -> bool {
    std::env::var_os(name).is_some_and(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_an_unset_one_in_every_command() {
        let port = || Arg::new("port").long("port").env("PATH").value_parser(clap::value_parser!(u16));
        let line = || Command::new("line").arg(port()).subcommand(Command::new("serve").arg(port()));
        let words = ["line", "serve"];
        assert!(without_empty(line(), |_| false).try_get_matches_from(words).is_err(), "PATH is no number");
        let matches = without_empty(line(), |name| name == "PATH").try_get_matches_from(words).unwrap();
        assert_eq!(matches.get_one::<u16>("port"), None);
        assert_eq!(matches.subcommand_matches("serve").unwrap().get_one::<u16>("port"), None);
    }
}
