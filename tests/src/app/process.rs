//! An application in a process of its own: `ripcord-test-app`, which prints a line for each change of what it serves.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::api::Api;
use crate::process::{self, Signal};
use crate::server::beside_the_tests;
use crate::waiting::{SOON, eventually};

/// A running application.
#[derive(Debug)]
pub struct Process {
    running: process::Process,
    output: PathBuf,
    _directory: TempDir,
}

impl Process {
    /// Starts one that evaluates `flag` all the time.
    pub async fn start(api: &Api, instance: &str, flag: &str) -> anyhow::Result<Self> {
        let directory = TempDir::with_prefix("ripcord-app-")?;
        let output = directory.path().join("output.log");
        let mut command = Command::new(beside_the_tests("ripcord-test-app"));
        command.args([api.url(), instance, flag]).env("RIPCORD_KEY", api.key());
        let app = Self {
            running: process::Process::start(instance, &mut command, &output)?,
            output,
            _directory: directory,
        };
        eventually(SOON, "the application is ready", || async { app.last().map(drop) }).await?;
        Ok(app)
    }

    /// What it printed last.
    fn last(&self) -> anyhow::Result<Value> {
        let output = std::fs::read_to_string(&self.output)?;
        let line = output
            .lines()
            .rfind(|line| line.starts_with('{'))
            .with_context(|| format!("nothing served yet: {output}"))?;
        Ok(serde_json::from_str(line)?)
    }

    /// Waits until it serves this value, as JSON.
    pub async fn serves(&self, value: &str) -> anyhow::Result<Value> {
        eventually(SOON, "the application serves it", || async {
            let last = self.last()?;
            ensure!(last["value"].to_string().as_str() == value, "it serves {last}");
            Ok(last)
        })
        .await
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.running.signal(signal)
    }

    /// Asks it to end; it says goodbye.
    pub async fn end(mut self) -> anyhow::Result<()> {
        self.running.signal(Signal::Term)?;
        let status = tokio::task::spawn_blocking(move || self.running.wait(SOON)).await??;
        ensure!(status.success(), "the application ended with {status}");
        Ok(())
    }
}
