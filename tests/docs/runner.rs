//! Follows a document in a shell, and notes where it shows something else than what is printed.

use crate::document::{Document, Step};
use crate::shell::Shell;
use crate::volatile::{Names, begins, contains, same};

/// What came of a document.
#[derive(Debug, Default)]
pub struct Run {
    /// Where it shows something else.
    pub differences: Vec<String>,
    replacements: Vec<Replacement>,
}

/// Lines of the document that become other lines.
#[derive(Debug)]
struct Replacement {
    first: usize,
    count: usize,
    with: Vec<String>,
}

impl Run {
    /// The document with what was really printed.
    pub fn updated(&self, text: &str) -> String {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for replacement in self.replacements.iter().rev() {
            lines.splice(replacement.first..replacement.first + replacement.count, replacement.with.iter().cloned());
        }
        let mut text = lines.join("\n");
        text.push('\n');
        text
    }

    fn differs(&mut self, at: usize, what: &str, shown: &[String], printed: &[String]) {
        self.differences.push(format!(
            "line {}: {what}\n--- shown\n{}\n--- printed\n{}\n",
            at + 1,
            shown.join("\n"),
            printed.join("\n")
        ));
        self.replacements.push(Replacement {
            first: at,
            count: shown.len(),
            with: printed.to_vec(),
        });
    }
}

/// Runs all commands of a document, in order.
pub fn run(document: &Document) -> anyhow::Result<Run> {
    let (mut shell, mut names, mut run) = (Shell::start()?, Names::default(), Run::default());
    for step in &document.steps {
        match step {
            Step::File { name, text } => shell.write(name, text)?,
            Step::Command(command) => {
                let text = names.in_command(&command.text);
                let shown = &command.output;
                let printed = if command.background {
                    shell.run_on(&text, |printed| begins(shown, printed))?
                } else {
                    shell.run(&text)?
                };
                names.learn(shown, &printed);
                if !same(shown, &printed) {
                    run.differs(command.at + command.lines(), &command.text, shown, &names.as_shown(&printed));
                }
            }
            Step::MoreOutput { output, at } => {
                let printed = shell.more(|printed| contains(output, printed).then_some(printed.len()))?;
                if !contains(output, &printed) {
                    run.differs(*at, "more of the newest background command", output, &names.as_shown(&printed));
                }
            }
        }
    }
    Ok(run)
}
