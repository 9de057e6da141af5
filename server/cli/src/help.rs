//! The help: commands grouped by what people are doing, examples of every subcommand, global options where they apply.

use std::fmt::Write as _;

use clap::Command;

/// The commands by what people are doing.
const GROUPS: &[(&str, &[&str])] = &[
    ("Incident", &["kill", "restore", "rollback", "watch", "doctor", "audit"]),
    (
        "Change flags",
        &[
            "flags", "segments", "plan", "apply", "promote", "proposal", "lint", "import", "export", "schema",
        ],
    ),
    ("Roll out", &["release", "checkpoint", "rollout", "gate", "trigger", "ping", "drill"]),
    ("Operate", &["serve", "demo", "env", "keys", "backup", "completions", "man"]),
];

/// Commands that call no server, and take no global option but `--json`.
const OFFLINE: &[&str] = &["serve", "demo", "lint", "completions", "schema", "man", "help-markdown"];

/// Examples of subcommands whose types state none.
const EXAMPLES: &[(&str, &str)] = &[
    ("kill list", "ripcord kill list"),
    ("rollback list", "ripcord rollback list --limit 10"),
    ("rollback show", "ripcord rollback show rb_01jd3x7q8v9w0y2z4a6b8c0d2e"),
    ("rollback wait", "ripcord rollback wait rb_01jd3x7q8v9w0y2z4a6b8c0d2e --wait 1m"),
    (
        "rollback stop",
        "ripcord rollback stop rb_01jd3x7q8v9w0y2z4a6b8c0d2e --reason \"errors are back\"",
    ),
    ("rollback resume", "ripcord rollback resume rb_01jd3x7q8v9w0y2z4a6b8c0d2e --now"),
    ("rollback undo", "ripcord rollback undo rb_01jd3x7q8v9w0y2z4a6b8c0d2e --reason \"fixed\""),
    (
        "rollback review",
        "ripcord rollback review rb_01jd3x7q8v9w0y2z4a6b8c0d2e --note \"pool too small\"",
    ),
    ("rollout list", "ripcord rollout list --limit 10"),
    ("rollout show", "ripcord rollout show ro_01jd3x7q8v9w0y2z4a6b8c0d2e"),
    ("rollout watch", "ripcord rollout watch ro_01jd3x7q8v9w0y2z4a6b8c0d2e"),
    (
        "rollout pause",
        "ripcord rollout pause ro_01jd3x7q8v9w0y2z4a6b8c0d2e --reason \"looking into it\"",
    ),
    ("rollout resume", "ripcord rollout resume ro_01jd3x7q8v9w0y2z4a6b8c0d2e"),
    ("rollout advance", "ripcord rollout advance ro_01jd3x7q8v9w0y2z4a6b8c0d2e"),
    ("rollout abort", "ripcord rollout abort ro_01jd3x7q8v9w0y2z4a6b8c0d2e --reason \"replanned\""),
    ("rollout rollback", "ripcord rollout rollback ro_01jd3x7q8v9w0y2z4a6b8c0d2e --reason 5xx"),
    ("rollout approve", "ripcord rollout approve ro_01jd3x7q8v9w0y2z4a6b8c0d2e"),
    ("proposal list", "ripcord proposal list --waiting"),
    ("proposal show", "ripcord proposal show pr_01jd3x7q8v9w0y2z4a6b8c0d2e"),
    ("proposal wait", "ripcord proposal wait pr_01jd3x7q8v9w0y2z4a6b8c0d2e --wait 1h"),
    ("proposal approve", "ripcord proposal approve pr_01jd3x7q8v9w0y2z4a6b8c0d2e"),
    (
        "proposal decline",
        "ripcord proposal decline pr_01jd3x7q8v9w0y2z4a6b8c0d2e --reason \"not today\"",
    ),
    ("proposal withdraw", "ripcord proposal withdraw pr_01jd3x7q8v9w0y2z4a6b8c0d2e"),
    ("gate replay", "ripcord gate replay ro_01jd3x7q8v9w0y2z4a6b8c0d2e errors --worse-by 0.2%"),
    ("trigger create", "ripcord trigger create errors --source alertmanager --rollback open-release"),
    ("trigger list", "ripcord trigger list"),
    ("trigger show", "ripcord trigger show errors"),
    ("trigger arm", "ripcord trigger arm errors"),
    ("trigger disarm", "ripcord trigger disarm errors --reason \"false alarms\""),
    ("trigger dry-run", "ripcord trigger dry-run errors"),
    ("trigger test", "ripcord trigger test errors -f webhook.json"),
    ("trigger delete", "ripcord trigger delete errors --reason \"replaced\""),
    ("trigger firings", "ripcord trigger firings --limit 10"),
    ("trigger confirm", "ripcord trigger confirm f_01jd3x7q8v9w0y2z4a6b8c0d2e"),
    ("trigger decline", "ripcord trigger decline f_01jd3x7q8v9w0y2z4a6b8c0d2e"),
    ("ping list", "ripcord ping list --limit 10"),
    ("checkpoint create", "ripcord checkpoint create quiet --note \"before the sale\""),
    ("checkpoint list", "ripcord checkpoint list"),
    ("checkpoint show", "ripcord checkpoint show last-known-good"),
    ("checkpoint vouch", "ripcord checkpoint vouch quiet --evidence \"an hour at full traffic\""),
    ("checkpoint doubt", "ripcord checkpoint doubt quiet --reason \"orders were lost\""),
    ("checkpoint delete", "ripcord checkpoint delete quiet --reason \"outdated\""),
    ("release begin", "ripcord release begin web-12 --artifact \"web 12\" --window 2h"),
    ("release set", "ripcord release set web-12 --owner commander=ana"),
    ("release list", "ripcord release list"),
    ("release show", "ripcord release show web-12"),
    ("release finish", "ripcord release finish web-12"),
    ("audit list", "ripcord audit list --limit 100"),
    ("audit verify", "ripcord audit verify"),
    ("audit orphans", "ripcord audit orphans"),
    ("flags list", "ripcord flags list"),
    ("flags show", "ripcord flags show checkout-v2"),
    ("flags enable", "ripcord flags enable checkout-v2 --reason \"back in use\""),
    ("flags disable", "ripcord flags disable checkout-v2 --reason \"not needed any more\""),
    ("flags delete", "ripcord flags delete checkout-v2 --reason \"removed from the code\""),
    ("flags stale", "ripcord flags stale"),
    ("segments list", "ripcord segments list"),
    ("segments show", "ripcord segments show beta"),
    ("segments set", "ripcord segments set beta -f beta.yaml --reason \"beta programme\""),
    ("segments delete", "ripcord segments delete beta --reason \"programme ended\""),
    ("env list", "ripcord env list"),
    ("env show", "ripcord env show staging"),
    ("env create", "ripcord env create staging --description \"before production\""),
    ("env copy", "ripcord env copy production rehearsal"),
    ("env delete", "ripcord env delete rehearsal --confirm rehearsal"),
    ("env bucketing", "ripcord env bucketing v2 --reassign-users --reason \"older flagd\""),
    ("env policy show", "ripcord env policy show"),
    ("env policy set", "ripcord env policy set --protected --triggers ask --ping-every 10m"),
    ("keys create", "ripcord keys create \"checkout service\" --role sdk --env production"),
    ("keys list", "ripcord keys list"),
    ("keys revoke", "ripcord keys revoke key_4fK2mQ9xWz1B --reason \"lost laptop\""),
    ("drill run", "ripcord drill run --builtin happy-path"),
    ("drill list", "ripcord drill list"),
    ("drill show", "ripcord drill show d_01jd3x7q8v9w0y2z4a6b8c0d2e"),
    ("drill builtins", "ripcord drill builtins straggler > friday.yaml"),
];

/// The command with its help as people see it.
pub(crate) fn dressed(command: Command) -> Command {
    let command = without_globals_where_offline(with_examples(command, ""));
    let groups = groups(&command);
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{groups}\nGlobal options:\n{{options}}{{after-help}}"
    ))
}

fn groups(command: &Command) -> String {
    let mut text = String::new();
    for (heading, names) in GROUPS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{heading}:");
        for subcommand in names.iter().filter_map(|name| command.find_subcommand(name)) {
            let about = subcommand.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {:<12}{about}", subcommand.get_name());
        }
    }
    text
}

fn with_examples(command: Command, path: &str) -> Command {
    let command = if path.is_empty() || command.get_after_help().is_some() {
        command
    } else if let Some((_, example)) = EXAMPLES.iter().find(|(of, _)| *of == path) {
        command.after_help(format!("Example:\n  {example}"))
    } else {
        command
    };
    command.mut_subcommands(|subcommand| {
        let path = format!("{path} {}", subcommand.get_name());
        with_examples(subcommand, path.trim_start())
    })
}

/// A global option is not shown in the help of a command that calls no server; clap adds one only if no argument has its id.
fn without_globals_where_offline(mut command: Command) -> Command {
    let globals: Vec<_> = command
        .get_arguments()
        .filter(|argument| argument.is_global_set() && argument.get_id() != "json")
        .cloned()
        .collect();
    for name in OFFLINE {
        if command.find_subcommand(name).is_some() {
            let hidden = globals.iter().cloned().map(|argument| argument.hide(true));
            command = command.mut_subcommand(name, |subcommand| subcommand.args(hidden));
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;
    use crate::Arguments;
    use crate::server::tests::NoServer;

    fn command() -> Command {
        dressed(Arguments::<NoServer>::command())
    }

    #[test]
    fn every_command_is_in_one_group() {
        let grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let command = command();
        let commands: BTreeSet<&str> = command
            .get_subcommands()
            .filter(|subcommand| !subcommand.is_hide_set())
            .map(Command::get_name)
            .collect();
        assert_eq!(grouped.iter().copied().collect::<BTreeSet<_>>(), commands);
        assert_eq!(grouped.len(), commands.len());
    }

    #[test]
    fn the_help_fits_on_80_columns() {
        let help = command().term_width(80).render_help().to_string();
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn every_example_is_of_a_subcommand() {
        for (path, _) in EXAMPLES {
            let mut at = command();
            for name in path.split(' ') {
                at = at.find_subcommand(name).unwrap_or_else(|| panic!("there is no {path}")).clone();
            }
        }
    }
}
