//! The exit code and the output of a command.

use std::process::{Command, Output};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::server::Server;

/// The exit code and the output of a command.
#[derive(Debug)]
pub struct CommandOutput {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Server {
    /// `ripcord ARGUMENTS` against this server, as its admin.
    pub fn ripcord(&self, arguments: &[&str]) -> Command {
        self.ripcord_as(self.admin().key(), arguments)
    }

    /// The same with this key.
    pub fn ripcord_as(&self, key: &str, arguments: &[&str]) -> Command {
        let mut command = self.command();
        command
            .env("RIPCORD_SERVER", self.url())
            .env("RIPCORD_KEY", key)
            .env("NO_COLOR", "1")
            .args(arguments);
        command
    }
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
        serde_json::from_str(&self.out).with_context(|| format!("not JSON: {}\n{}", self.out, self.err))
    }

    /// The problem document of a command that was run with `--json` and refused, which must have this code.
    pub fn problem(&self, code: &str) -> anyhow::Result<Value> {
        let text = if self.out.trim().is_empty() { &self.err } else { &self.out };
        let problem: Value = serde_json::from_str(text).with_context(|| format!("no problem document: {}\n{}", self.out, self.err))?;
        ensure!(problem["code"] == code, "{problem} instead of {code}");
        Ok(problem)
    }

    /// What it printed names all of these: keys, ids, files, addresses, settings, commands to copy. Never a sentence: wording is
    /// compared by the suite `docs` alone.
    pub fn names(&self, things: &[&str]) -> anyhow::Result<&Self> {
        self.holds(&self.out, things)
    }

    /// The same for standard error.
    pub fn error_names(&self, things: &[&str]) -> anyhow::Result<&Self> {
        self.holds(&self.err, things)
    }

    fn holds(&self, text: &str, things: &[&str]) -> anyhow::Result<&Self> {
        for thing in things {
            ensure!(text.contains(thing), "{thing:?} is missing in\n{}\n{}", self.out, self.err);
        }
        Ok(self)
    }
}
