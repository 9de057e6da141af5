//! Reads a document: its console blocks, their commands, and the lines that show what they print.

use anyhow::{Context as _, ensure};

/// What a document has the runner do, in order.
#[derive(Debug)]
pub struct Document {
    pub steps: Vec<Step>,
}

#[derive(Debug)]
pub enum Step {
    /// A file is written.
    File { name: String, text: String },
    /// A command is run.
    Command(Command),
    /// The newest background command prints this, too.
    MoreOutput { output: Vec<String>, at: usize },
}

#[derive(Debug)]
pub struct Command {
    /// As the document writes it, without the prompt.
    pub text: String,
    /// Its first line in the document, from 0.
    pub at: usize,
    /// What it prints, as the document shows it.
    pub output: Vec<String>,
    /// Whether it runs on.
    pub background: bool,
}

impl Command {
    /// How many lines of the document the command itself takes.
    pub fn lines(&self) -> usize {
        self.text.lines().count()
    }
}

impl Document {
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let lines: Vec<&str> = text.lines().collect();
        let (mut steps, mut comment, mut at) = (Vec::new(), "", 0);
        while let Some(line) = lines.get(at) {
            let Some(info) = line.strip_prefix("```") else {
                if !line.trim().is_empty() {
                    comment = line.trim();
                }
                at += 1;
                continue;
            };
            let first = at + 1;
            let length = lines[first..]
                .iter()
                .position(|line| *line == "```")
                .with_context(|| format!("line {first}: no end"))?;
            let block = &lines[first..first + length];
            let not_run = comment.starts_with("<!-- not run");
            if let Some(name) = info.split_whitespace().find_map(|word| word.strip_prefix("title=")) {
                let mut text = block.join("\n");
                text.push('\n');
                steps.push(Step::File { name: name.to_owned(), text });
            } else if info.trim() == "console" && !not_run {
                console(block, first, comment.starts_with("<!-- background"), &mut steps)?;
            }
            comment = "";
            at = first + length + 1;
        }
        Ok(Self { steps })
    }
}

fn console(block: &[&str], first: usize, background: bool, steps: &mut Vec<Step>) -> anyhow::Result<()> {
    let Some(start) = block.iter().position(|line| line.starts_with("$ ")) else {
        let output = block.iter().map(|line| (*line).to_owned()).collect();
        steps.push(Step::MoreOutput { output, at: first });
        return Ok(());
    };
    ensure!(start == 0, "line {}: a block begins with a command, or has none", first + 1);
    let mut commands: Vec<Command> = Vec::new();
    let mut lines = block.iter().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        let Some(text) = line.strip_prefix("$ ") else {
            if let Some(command) = commands.last_mut() {
                command.output.push((*line).to_owned());
            }
            continue;
        };
        let mut text = text.to_owned();
        let end_of_here_document = here_document(&text);
        while end_of_here_document.is_some() || text.ends_with('\\') {
            let (_, next) = lines.next().with_context(|| format!("line {}: the command does not end", first + at + 1))?;
            text.push('\n');
            text.push_str(next);
            if end_of_here_document.as_deref() == Some(*next) {
                break;
            }
        }
        commands.push(Command {
            background: text.trim_end().ends_with(" &"),
            text,
            at: first + at,
            output: Vec::new(),
        });
    }
    if background && let Some(last) = commands.last_mut() {
        last.background = true;
    }
    steps.extend(commands.into_iter().map(Step::Command));
    Ok(())
}

/// The word that ends the here-document of a command.
fn here_document(command: &str) -> Option<String> {
    let (_, rest) = command.split_once("<<")?;
    let word: String = rest
        .trim_start_matches(['-', ' ', '\'', '"'])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    (!word.is_empty()).then_some(word)
}
