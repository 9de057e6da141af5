//! Rollouts from a pipeline, over real processes: a script, real SDK clients with simulated users, and servers that are killed; and
//! what triggers make of alerts.

mod approvals;
mod effects;
mod faults;
mod leader;
mod pipeline;
mod triggers;
mod users;

use std::process::Command;

use anyhow::Context as _;
use ripcord_tests::Server;
use serde_json::Value;

/// The environment of a pipeline that calls `ripcord` on this server.
fn shell(server: &Server, script: &str) -> Command {
    let mut command = Command::new("sh");
    let folder = ripcord_tests::server::binary().parent().unwrap_or(std::path::Path::new("."));
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .args(["-c", script])
        .current_dir(server.scratch())
        .env("PATH", format!("{}:{path}", folder.display()))
        .env("HOME", server.scratch())
        .env("RIPCORD_SERVER", server.url())
        .env("RIPCORD_KEY", server.admin().key())
        .env("NO_COLOR", "1")
        .env_remove("RIPCORD_ENV");
    command
}

/// The newest rollout of `production`.
async fn newest(server: &Server) -> anyhow::Result<Value> {
    let list = server.admin().get("rollouts").await?.ok()?;
    list["items"].get(0).cloned().context("no rollout was started")
}
