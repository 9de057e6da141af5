//! The first minutes: a server without settings is found without settings.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};
use ripcord_tests::{Outcome, Server, Setup};

use super::{CommandOutput, ripcord};

/// A command on the server's machine, without any settings.
async fn at_the_machine(server: &Server, arguments: &[&str]) -> anyhow::Result<CommandOutput> {
    let mut command: Command = server.command();
    command.env_remove("RIPCORD_ADMIN_KEY").env("NO_COLOR", "1").args(arguments);
    CommandOutput::of(command).await
}

/// A server that was started without a setting but its port and its directory.
async fn without_settings() -> anyhow::Result<Server> {
    Server::start(Setup::embedded().without("RIPCORD_ADMIN_KEY")).await
}

/// The file by which the server is found.
fn announcement(server: &Server) -> anyhow::Result<PathBuf> {
    let directory = server.scratch().join(".local/state/ripcord");
    let files = std::fs::read_dir(&directory).with_context(|| directory.display().to_string())?;
    let mut files = files
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "json"));
    files.next().context("the server announces itself nowhere")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_servers_machine_the_first_kill_needs_no_setting() -> Outcome {
    let mut server = without_settings().await?;
    at_the_machine(&server, &["flags", "set", "checkout", "--boolean", "--default", "on", "--reason", "x"])
        .await?
        .expect(0)?;
    at_the_machine(&server, &["kill", "checkout", "--reason", "x"])
        .await?
        .expect(0)?
        .names(&["checkout", "ripcord restore k_"])?;
    at_the_machine(&server, &["flags", "list"]).await?.expect(0)?.names(&["checkout"])?;
    at_the_machine(&server, &["doctor"]).await?.expect(0)?;
    server.stop()?;
    server.restart().await?;
    at_the_machine(&server, &["kill", "list"]).await?.expect(0)?.names(&["checkout"])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_by_which_it_is_found_is_its_owners_alone() -> Outcome {
    let server = without_settings().await?;
    let file = announcement(&server)?;
    let mode = std::fs::metadata(&file)?.permissions().mode() & 0o777;
    ensure!(mode == 0o600, "its mode is {mode:o}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644))?;
    let refused = at_the_machine(&server, &["flags", "list"]).await?.expect(1)?;
    ensure!(refused.err.contains("chmod 600"), "{}", refused.err);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_says_what_is_wrong_where_something_is() -> Outcome {
    let mut redis = ripcord_tests::Redis::with(ripcord_tests::Durability::Nothing, &[]).await?;
    let mut server = Server::start(Setup::on(&redis)).await?;
    let lossy = ripcord(&server, &["doctor"]).await?;
    ensure!(lossy.out.contains("appendonly"), "{lossy:?}");
    redis.kill();
    server.readyz_until("degraded", |ready| ready.body["status"] == "degraded").await?;
    let degraded = ripcord(&server, &["doctor"]).await?;
    ensure!(degraded.out.contains("degraded") && degraded.out.contains("store"), "{degraded:?}");
    server.kill();
    let gone = ripcord(&server, &["doctor"]).await?;
    ensure!(gone.code == 1, "{gone:?}");
    Ok(())
}
