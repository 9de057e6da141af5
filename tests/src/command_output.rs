//! What a command did.

use std::process::{Command, Output};

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// What a command did.
#[derive(Debug)]
pub struct CommandOutput {
    /// Exit code.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it said beside that.
    pub err: String,
}

impl CommandOutput {
    /// Runs a command to its end.
    pub async fn of(mut command: Command) -> anyhow::Result<Self> {
        let Output { status, stdout, stderr } = tokio::task::spawn_blocking(move || command.output()).await??;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Self {
            code: status.code().context("it was ended by a signal")?,
            out: text(&stdout),
            err: text(&stderr),
        })
    }

    /// It must have ended with this code, and never with a panic.
    pub fn expect(self, code: i32) -> anyhow::Result<Self> {
        ensure!(!self.err.contains("panicked"), "{}", self.err);
        ensure!(self.code == code, "exit code {} instead of {code}\n{}\n{}", self.code, self.out, self.err);
        Ok(self)
    }

    /// What it printed, as JSON.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.out).with_context(|| format!("no JSON: {}\n{}", self.out, self.err))
    }

    /// What it printed holds these words.
    pub fn says(&self, words: &[&str]) -> anyhow::Result<&Self> {
        self.holds(&self.out, words)
    }

    /// What it said beside its answer holds these words.
    pub fn notes(&self, words: &[&str]) -> anyhow::Result<&Self> {
        self.holds(&self.err, words)
    }

    fn holds(&self, text: &str, words: &[&str]) -> anyhow::Result<&Self> {
        for word in words {
            ensure!(text.contains(word), "{word:?} is missing in\n{}\n{}", self.out, self.err);
        }
        Ok(self)
    }
}
