//! Commands as a user types them.

mod apply;
mod bad_release;
mod basics;
mod exit_codes;
mod known_good;
mod newcomer;
mod releases;
mod rollback;
mod straight_line;

use std::process::Output;

use anyhow::{Context as _, ensure};
use ripcord_tests::Server;
use serde_json::Value;

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    /// Exit code.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it said beside that.
    pub err: String,
}

impl Ran {
    fn of(output: &Output) -> anyhow::Result<Self> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Self {
            code: output.status.code().context("it was ended by a signal")?,
            out: text(&output.stdout),
            err: text(&output.stderr),
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
        serde_json::from_str(&self.out).with_context(|| format!("no JSON: {}", self.out))
    }

    /// What it printed holds these words.
    pub fn says(&self, words: &[&str]) -> anyhow::Result<&Self> {
        for word in words {
            ensure!(self.out.contains(word), "{word:?} is missing in\n{}", self.out);
        }
        Ok(self)
    }
}

/// Runs `ripcord ARGUMENTS` against a server, as its admin.
pub async fn ripcord(server: &Server, arguments: &[&str]) -> anyhow::Result<Ran> {
    let key = server.admin().key().to_owned();
    ripcord_as(server, &key, arguments).await
}

/// The same with this key.
pub async fn ripcord_as(server: &Server, key: &str, arguments: &[&str]) -> anyhow::Result<Ran> {
    let mut command = server.command();
    command
        .env("RIPCORD_SERVER", server.url())
        .env("RIPCORD_KEY", key)
        .env("NO_COLOR", "1")
        .args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    Ran::of(&output)
}
