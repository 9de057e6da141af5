//! The first minutes: a server without settings is found without settings.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::{Context as _, ensure};
use ripcord_tests::{Outcome, Server, Setup, flags};

use super::Ran;

/// A command of somebody who sits at the server's machine and has set nothing.
fn at_the_machine(server: &Server, arguments: &[&str]) -> anyhow::Result<Ran> {
    let mut command: Command = server.command();
    command.env_remove("RIPCORD_ADMIN_KEY").env("NO_COLOR", "1").args(arguments);
    Ran::of(&command.output()?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_servers_machine_the_first_kill_needs_no_flag() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    server.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    at_the_machine(&server, &["kill", "checkout", "--reason", "x"])?
        .expect(0)?
        .says(&["checkout", "ripcord restore k_"])?;
    at_the_machine(&server, &["flags", "list"])?.expect(0)?.says(&["checkout"])?;
    at_the_machine(&server, &["doctor"])?.expect(0)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_by_which_it_is_found_is_its_owners_alone_and_goes_with_the_server() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    let file = server.scratch().join(".local/state/ripcord/local.json");
    let mode = std::fs::metadata(&file).with_context(|| file.display().to_string())?.permissions().mode() & 0o777;
    ensure!(mode == 0o600, "its mode is {mode:o}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644))?;
    let refused = at_the_machine(&server, &["flags", "list"])?.expect(1)?;
    ensure!(refused.err.contains("chmod 600"), "{}", refused.err);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
    server.stop()?;
    ensure!(!file.exists(), "it names a server that does not answer");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_says_what_is_wrong_where_something_is() -> Outcome {
    let mut redis = ripcord_tests::Redis::with(ripcord_tests::Durability::Nothing, &[]).await?;
    let mut server = Server::start(Setup::on(&redis)).await?;
    let lossy = at_the_machine(&server, &["doctor"])?;
    ensure!(lossy.out.contains("appendonly"), "{lossy:?}");
    redis.kill();
    server.readyz_until("degraded", |ready| ready.body["status"] == "degraded").await?;
    let degraded = at_the_machine(&server, &["doctor"])?;
    ensure!(degraded.code == 1 && degraded.out.to_lowercase().contains("store"), "{degraded:?}");
    server.kill();
    let gone = at_the_machine(&server, &["doctor"])?;
    ensure!(gone.code == 1, "{gone:?}");
    Ok(())
}
