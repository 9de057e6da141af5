//! `serve --config FILE`: options of a command from a TOML file.
//!
//! A member of the file is named like its option, with `_` or `-`: `data_dir = "/var/lib/ripcord"`. Each becomes the default of its
//! option, so that an environment variable and the command line win over it.

use std::path::Path;

use clap::{ArgAction, Command};

use super::config;

/// The command, with the defaults that the file gives.
///
/// # Errors
/// The file cannot be read, or names an option that does not exist; the message names the file and the line.
pub(crate) fn with_defaults(command: Command, path: &Path) -> Result<Command, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    from_text(command, path, &text)
}

fn from_text(mut command: Command, path: &Path, text: &str) -> Result<Command, String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| config::at(path, text, &error))?;
    for (name, value) in table {
        let wrong = |problem: String| format!("{}{}: {problem}", path.display(), line_of(text, &name));
        let option = name.replace('_', "-");
        let Some(argument) = command
            .get_arguments()
            .find(|argument| argument.get_long() == Some(&option) && option != "config")
        else {
            return Err(wrong(unknown(&command, &name)));
        };
        let (id, action) = (argument.get_id().clone(), argument.get_action().clone());
        let values = values(&name, value, &action).map_err(wrong)?;
        command = command.mut_arg(id, |argument| argument.default_values(values).required(false));
    }
    Ok(command)
}

/// ` :LINE` of a top-level member, if it can be found.
fn line_of(text: &str, name: &str) -> String {
    let found = text
        .lines()
        .position(|line| line.split('=').next().is_some_and(|before| before.trim().trim_matches('"') == name));
    found.map(|index| format!(":{}", index + 1)).unwrap_or_default()
}

fn values(name: &str, value: toml::Value, action: &ArgAction) -> Result<Vec<String>, String> {
    let several = matches!(action, ArgAction::Append);
    match (value, action) {
        (toml::Value::Boolean(value), _) => Ok(vec![value.to_string()]),
        (_, ArgAction::SetTrue) => Err(format!("{name} must be true or false")),
        (toml::Value::String(text), _) => Ok(vec![text]),
        (toml::Value::Integer(number), _) => Ok(vec![number.to_string()]),
        (toml::Value::Array(items), _) if several => items
            .into_iter()
            .map(|item| match item {
                toml::Value::String(text) => Ok(text),
                toml::Value::Integer(_)
                | toml::Value::Float(_)
                | toml::Value::Boolean(_)
                | toml::Value::Datetime(_)
                | toml::Value::Array(_)
                | toml::Value::Table(_) => Err(format!("{name} must be a list of strings")),
            })
            .collect(),
        (toml::Value::Array(_), _) => Err(format!("{name} takes one value, not a list")),
        (toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_), _) => Err(format!("{name} must be a string, a number, true or false")),
    }
}

fn unknown(command: &Command, name: &str) -> String {
    let known = command
        .get_arguments()
        .filter_map(clap::Arg::get_long)
        .filter(|long| !matches!(*long, "config" | "help" | "version"))
        .map(|long| long.replace('-', "_"));
    let nearest = known
        .map(|known| (strsim::jaro(name, &known), known))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((_, known)) => format!("unknown setting {name}; did you mean {known}?"),
        None => format!("unknown setting {name}; `ripcord serve --help` lists the settings"),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgMatches};

    use super::*;

    fn serve() -> Command {
        Command::new("serve")
            .arg(Arg::new("config").long("config"))
            .arg(Arg::new("listen").long("listen").default_value("127.0.0.1:8016"))
            .arg(Arg::new("data_dir").long("data-dir"))
            .arg(Arg::new("workers").long("workers").value_parser(clap::value_parser!(usize)))
            .arg(Arg::new("peers").long("peer").action(ArgAction::Append))
            .arg(Arg::new("open").long("open").action(ArgAction::SetTrue))
    }

    fn read(text: &str, line: &[&str]) -> Result<ArgMatches, String> {
        let command = from_text(serve(), Path::new("ripcord.toml"), text)?;
        command
            .try_get_matches_from(std::iter::once(&"serve").chain(line))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_gives_what_the_command_line_does_not() {
        let text = "listen = \"0.0.0.0:80\"\ndata_dir = \"/data\"\nworkers = 4\npeer = [\"http://a\", \"http://b\"]\nopen = true\n";
        let matches = read(text, &["--listen", "[::1]:1"]).unwrap();
        assert_eq!(matches.get_one::<String>("listen").unwrap(), "[::1]:1");
        assert_eq!(matches.get_one::<String>("data_dir").unwrap(), "/data");
        assert_eq!(matches.get_one::<usize>("workers"), Some(&4));
        assert_eq!(matches.get_many::<String>("peers").unwrap().count(), 2);
        assert!(matches.get_flag("open"));
    }

    #[test]
    fn a_setting_that_does_not_exist_is_refused_with_the_one_that_is_meant() {
        let error = read("\nlisten = \"x\"\nworker = 2\n", &[]).unwrap_err();
        assert_eq!(error, "ripcord.toml:3: unknown setting worker; did you mean workers?");
        assert!(read("config = \"other.toml\"", &[]).is_err());
        assert!(read("open = \"yes\"", &[]).unwrap_err().contains("open must be true or false"));
        assert!(read("listen = [\"a\"]", &[]).unwrap_err().contains("one value"));
        assert!(read("listen = ", &[]).unwrap_err().starts_with("ripcord.toml:1: "));
    }
}
