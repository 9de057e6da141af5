use clap::{CommandFactory as _, Parser as _};

use super::server::tests::NoServer;
use super::*;

type Arguments = super::Arguments<NoServer>;

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn what_every_command_takes_can_stand_before_or_after_it() {
    for line in [
        ["ripcord", "--env", "staging", "--json", "kill", "checkout-v2"],
        ["ripcord", "kill", "checkout-v2", "--env", "staging", "--json"],
    ] {
        let arguments = Arguments::try_parse_from(line).unwrap();
        assert_eq!(arguments.global.environment.first().unwrap().as_str(), "staging");
        assert!(arguments.global.json);
        assert!(matches!(arguments.command, Command::Remote(Remote::Kill(_))));
    }
}

fn refused(line: &[&str]) -> String {
    let line = std::iter::once("ripcord").chain(line.iter().copied());
    Arguments::try_parse_from(line).err().unwrap().to_string()
}

#[test]
fn a_command_line_that_cannot_be_meant_is_refused_with_the_way_out() {
    assert!(refused(&["kill"]).contains("--tag <TAG>"));
    assert!(refused(&["kill", "checkout-v2", "--all"]).contains("cannot be used with"));
    assert!(refused(&["kill", "checkout-v2", "--wait", "soon"]).contains("write 2s or 500ms"));
    assert!(refused(&["kill", ".."]).contains("a flag key"));
    assert!(refused(&["restore", "--reason", "ok"]).contains("--flag"));
    assert!(refused(&["restore", "k_01jd3x7q8v9w0y2z4a6b8c0d2e"]).contains("--reason"));
    assert!(refused(&["flags", "list", "--env", "Production"]).contains("environment"));
    assert!(refused(&["keys", "create", "ci", "--role", "owner"]).contains("sdk, client, viewer"));
    assert!(refused(&["flag", "list"]).contains("flags"));
}

/// Every command that has no subcommands, and every other one, with its path.
fn all(of: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
    for subcommand in of.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        let path = format!("{path} {}", subcommand.get_name()).trim_start().to_owned();
        all(subcommand, &path, found);
        found.push((path, subcommand.clone()));
    }
}

fn commands() -> Vec<(String, clap::Command)> {
    let mut found = Vec::new();
    all(&command::<NoServer>(), "", &mut found);
    found
}

#[test]
fn every_command_shows_an_example_in_its_help() {
    for (path, command) in commands() {
        let about = command.get_about().unwrap_or_else(|| panic!("{path} says nothing")).to_string();
        assert!(!about.ends_with('.'), "{path}: {about}");
        // The server's own arguments are another crate's; a command of subcommands alone may leave the examples to them.
        if path == "serve" || (command.has_subcommands() && path.contains(' ')) {
            continue;
        }
        let help = command.clone().render_long_help().to_string();
        assert!(help.contains("Example"), "{path} shows no example");
    }
}

#[test]
fn the_help_of_every_command_fits_on_a_terminal() {
    let mut long = Vec::new();
    for (path, command) in commands() {
        let help = command.clone().term_width(80).render_help().to_string();
        long.extend(help.lines().filter(|line| line.chars().count() > 80).map(|line| format!("{path}: {line}")));
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn the_examples_of_the_help_can_be_parsed() {
    for (path, subcommand) in commands() {
        let examples = subcommand.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in examples
            .lines()
            .filter_map(|line| line.strip_prefix("  ripcord "))
            .filter(|line| !line.ends_with('\\') && !line.starts_with("serve --"))
        {
            let line = line.split("   ").next().unwrap().split(" >").next().unwrap();
            let line = line.replace("HASH", &"0".repeat(64));
            let words = shell_words(&line);
            let words = std::iter::once("ripcord".to_owned()).chain(words).map(std::ffi::OsString::from);
            if let Err(Unparsed::Clap(error)) = parsed::<NoServer>(words.collect::<Vec<_>>()) {
                panic!("{path}: {line}: {error}");
            }
        }
    }
}

#[test]
fn old_spellings_and_other_names_are_answered_with_the_new_ones() {
    let hint = |line: &str| {
        let words: Vec<String> = std::iter::once("ripcord".to_owned()).chain(shell_words(line)).collect();
        let error = command::<NoServer>()
            .try_get_matches_from(&words)
            .err()
            .unwrap_or_else(|| panic!("{line} is accepted"));
        hints::hint(&error, &words).unwrap_or_else(|| panic!("{line}: {error}"))
    };
    for (line, new) in [
        ("rollback --to quiet --flags a,b", "--flags is now --flag"),
        ("rollback --to quiet --tags=a", "--tags is now --tag"),
        ("rollout wait ro_01jd3x7q8v9w0y2z4a6b8c0d2e --timeout 2h", "--timeout is now --wait"),
        ("apply -f flags.yaml --changes-served", "--changes-served is now --allow-killed-edit"),
        ("keys create ci --role pipeline --for staging", "--for is now --env"),
        ("env bucketing v2 --rebuckets-everybody", "--rebuckets-everybody is now --reassign-users"),
        ("trigger create a --source alertmanager --hold --disarmed", "--disarmed is now --state disarmed"),
        ("rollout start plan.yaml", "The file is now given with -f: -f plan.yaml"),
        ("import flagd flags.json", "The file is now given with -f: -f flags.json"),
        ("revert", "ripcord rollback --help"),
        ("history", "ripcord audit"),
        ("apps", "ripcord doctor"),
        ("version", "ripcord --version"),
    ] {
        assert!(hint(line).contains(new), "{line}: {}", hint(line));
    }
}

#[test]
fn a_flag_may_be_called_like_a_subcommand() {
    let kill = |line: &str| {
        let words = std::iter::once("ripcord".to_owned()).chain(shell_words(line)).map(std::ffi::OsString::from);
        match parsed::<NoServer>(words.collect::<Vec<_>>()).ok().map(|arguments| arguments.command) {
            Some(Command::Remote(Remote::Kill(kill))) => format!("{kill:?}"),
            _ => panic!("{line}"),
        }
    };
    assert!(kill("kill list").contains("List("));
    assert!(!kill("kill --flag list").contains("List("));
    assert!(!kill("kill a list").contains("List("));
    assert!(!kill("kill a,b --tag c,d --wait 5").contains("List("));
}

#[test]
fn global_options_are_shown_where_they_apply() {
    for (path, command) in commands() {
        let help = command.clone().render_help().to_string();
        if ["lint", "schema", "completions", "man", "demo"].contains(&path.as_str()) {
            assert!(!help.contains("--key"), "{path}");
        }
    }
    let mut whole = command::<NoServer>();
    let kill = whole.find_subcommand_mut("kill").unwrap().clone();
    assert_eq!(kill.get_name(), "kill");
    assert!(whole.render_help().to_string().contains("--key-file"));
}

/// Splits as a shell does, as far as the examples need it: quotes hold words together.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for character in line.trim().chars() {
        match (quote, character) {
            (None, ' ') => words.push(std::mem::take(&mut word)),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            (_, other) => word.push(other),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}
