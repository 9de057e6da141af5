//! Drills as a user runs them: each built-in scenario on both stores, and what surrounds them.

mod builtins;
mod reports;

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use ripcord_tests::{CommandOutput, Server, Setup, flags};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An environment with flags, and a folder in which drills put what they start.
#[derive(Debug)]
pub struct Ground {
    /// The server of the environment that is forked.
    pub server: Server,
    folder: TempDir,
}

impl Ground {
    /// A server with a few flags of all kinds, two of them coupled.
    pub async fn prepare() -> anyhow::Result<Self> {
        let server = Server::start(Setup::embedded()).await?;
        let beta = json!({"put_segment": {"key": "beta", "segment": {"attribute": "plan", "equals": "beta"}}});
        let targeted = json!({"variants": {"new": "new", "old": "old", "older": "older"}, "default": "old", "safe": "old",
            "rules": [{"when": {"segment": "beta"}, "serve": "new"}], "tags": ["search"]});
        let changes = [
            beta,
            put("cart-v2", &flags::boolean("off")),
            put("checkout-v2", &flags::boolean("off")),
            put("gradual", &flags::rollout(25)),
            put("ranking", &targeted),
        ];
        server.admin().commit(&changes).await?.ok()?;
        Ok(Self {
            server,
            folder: TempDir::with_prefix("ripcord-drills-")?,
        })
    }

    /// A file beside what drills put here.
    pub fn file(&self, name: &str) -> std::path::PathBuf {
        self.server.scratch().join(name)
    }

    /// The folder in which drills put what they start.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `ripcord ARGUMENTS` with the environment's server and a folder for what it starts.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.server.ripcord(arguments);
        command.env("TMPDIR", self.folder.path());
        command
    }

    /// Runs it to its end.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<CommandOutput> {
        CommandOutput::of(self.command(arguments)).await
    }

    /// Runs a drill, which must leave no file and no process behind.
    pub async fn drill(&self, arguments: &[&str]) -> anyhow::Result<CommandOutput> {
        let ran = self.run(&[&["drill", "run"], arguments].concat()).await?;
        self.nothing_is_left()?;
        Ok(ran)
    }

    /// Nothing that a drill started is left.
    pub fn nothing_is_left(&self) -> anyhow::Result<()> {
        let left: Vec<_> = std::fs::read_dir(self.folder.path())?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        ensure!(left.is_empty(), "a drill left {left:?}");
        let processes = self.processes();
        ensure!(processes.is_empty(), "a drill left processes: {processes:?}");
        Ok(())
    }

    /// The processes that drills have started: they name the folder, or work in it.
    pub fn processes(&self) -> Vec<String> {
        let folder = self.folder.path().display().to_string();
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let seen = all.filter_map(|process| {
            let line = std::fs::read_to_string(process.path().join("cmdline")).ok()?.replace('\0', " ");
            let works_in = std::fs::read_link(process.path().join("cwd")).unwrap_or_default();
            Some(format!("{line} in {}", works_in.display()))
        });
        seen.filter(|process| process.contains(&folder)).collect()
    }
}

/// A change of a commit.
pub fn put(key: &str, flag: &Value) -> Value {
    json!({"put_flag": {"key": key, "flag": flag}})
}

/// The verdict of a report on this check.
pub fn verdict<'r>(report: &'r Value, check: &str) -> anyhow::Result<&'r Value> {
    let verdicts = report["verdicts"].as_array().context("no verdicts")?;
    let found = verdicts.iter().find(|verdict| verdict["check"] == check);
    found.with_context(|| format!("no verdict {check:?} in {verdicts:#?}"))
}
