//! A client that is ahead of every node: someone put an older copy of the data in place by hand.

use std::path::Path;

use anyhow::ensure;
use ripcord_tests::stream::{Reader, WebSocket, hello};
use ripcord_tests::{App, Outcome, SOON, Server, Setup, eventually, flags};

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_ahead_of_every_node_takes_a_snapshot() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let kill = admin.kill_flag("checkout").await?;
    let sdk = admin.role("sdk").await?;
    server.stop()?;
    let older = server.scratch().join("older");
    copy(&server.data(), &older)?;
    server.restart().await?;
    admin.restore(&kill).await?.ok()?;
    admin.put_flag("other", &flags::boolean("on")).await?.ok()?;
    let app = App::start(&sdk, "app").await?;
    ensure!(app.on("checkout") && app.revision() == 4, "{}", app.status());
    let ahead = admin.snapshot().await?;
    server.stop()?;
    std::fs::remove_dir_all(server.data())?;
    copy(&older, &server.data())?;
    server.restart().await?;
    ensure!(admin.revision().await? == 2);
    app.serves("checkout", false).await?;
    eventually(SOON, "the client is where its server is", || async {
        ensure!(app.revision() == 2, "{}", app.status());
        Ok(())
    })
    .await?;
    admin.put_flag("other", &flags::boolean("on")).await?.ok()?;
    app.reaches(3).await?;
    let mut known = hello("raw");
    for member in ["epoch", "revision", "hash"] {
        known[member] = ahead[member].clone();
    }
    let mut raw = WebSocket::resume(&sdk, &known).await?;
    let frame = raw.expect("snapshot", SOON).await?;
    ensure!(frame.data["supersedes"] == "1:4" && frame.data["revision"] == 3, "{}", frame.data);
    Ok(())
}
