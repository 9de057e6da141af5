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
        assert_eq!(arguments.global.environment.unwrap().as_str(), "staging");
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
    assert!(refused(&["kill"]).contains("<FLAG|--tag <TAG>|--all|--list>"));
    assert!(refused(&["kill", "checkout-v2", "--all"]).contains("cannot be used with"));
    assert!(refused(&["kill", "checkout-v2", "--wait", "soon"]).contains("write 2s or 500ms"));
    assert!(refused(&["kill", "a flag"]).contains("a flag key"));
    assert!(refused(&["restore", "k_1", "--reason", "ok"]).contains("ripcord kill --list"));
    assert!(refused(&["restore", "k_01jd3x7q8v9w0y2z4a6b8c0d2e"]).contains("--reason"));
    assert!(refused(&["flags", "list", "--env", "Production"]).contains("environment"));
    assert!(refused(&["keys", "create", "ci", "--role", "owner"]).contains("sdk, client, viewer"));
    assert!(refused(&["flag", "list"]).contains("flags"));
}

#[test]
fn every_command_shows_an_example_in_its_help() {
    let command = Arguments::command();
    for subcommand in command.get_subcommands() {
        let help = subcommand.clone().render_long_help().to_string();
        assert!(help.contains("Examples:"), "{} shows no example", subcommand.get_name());
        let about = subcommand.get_about().unwrap().to_string();
        assert!(!about.ends_with('.'), "{}: {about}", subcommand.get_name());
    }
}

#[test]
fn examples_fit_on_a_terminal() {
    let command = Arguments::command();
    for subcommand in command.get_subcommands() {
        let examples = subcommand.get_after_help().unwrap().to_string();
        for line in examples.lines() {
            assert!(line.chars().count() <= 80, "{}: {line}", subcommand.get_name());
        }
    }
}

#[test]
fn the_examples_of_the_help_can_be_parsed() {
    let command = Arguments::command();
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "completions") {
        let examples = subcommand.get_after_help().unwrap().to_string();
        for line in examples.lines().filter_map(|line| line.strip_prefix("  ripcord ")) {
            let line = line.split("   ").next().unwrap().split(" >").next().unwrap();
            let line = line.replace("HASH", &"0".repeat(64));
            let words = shell_words(&line);
            let parsed = Arguments::try_parse_from(std::iter::once("ripcord".to_owned()).chain(words));
            if let Err(error) = parsed {
                panic!("{line}: {error}");
            }
        }
    }
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
