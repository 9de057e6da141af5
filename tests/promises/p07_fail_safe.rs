//! Promise 7: a flag with a lease falls to its safe variant in an SDK that has not heard from its server for that long.

use std::time::Duration;

use anyhow::ensure;
use ripcord_tests::waiting::throughout;
use ripcord_tests::{App, Outcome, Redis, Server, Setup, eventually, flags};
use serde_json::{Value, json};

/// The shortest lease that is allowed.
const LEASE: Duration = Duration::from_secs(5);

fn leased() -> Value {
    let mut flag = flags::boolean("on");
    flag["lease"] = json!({"seconds": LEASE.as_secs()});
    flag
}

async fn runs_out(app: &App) -> Outcome {
    eventually(LEASE * 3, "the lease runs out", || async {
        ensure!(
            !app.on("risky") && app.reason("risky") == "LEASE_EXPIRED",
            "{} {}",
            app.on("risky"),
            app.reason("risky")
        );
        Ok(())
    })
    .await?;
    ensure!(app.on("plain"), "a flag without a lease fell too");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_runs_out_when_the_server_is_gone_and_is_renewed_when_it_is_back() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("risky", &leased()).await?.ok()?;
    admin.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    let app = App::start(&admin.role("sdk").await?, "app").await?;
    ensure!(app.on("risky"));
    server.kill();
    throughout(LEASE / 2, "it serves what it knows until then", || async {
        ensure!(app.on("risky"), "{}", app.reason("risky"));
        Ok(())
    })
    .await?;
    runs_out(&app).await?;
    server.restart().await?;
    app.serves("risky", true).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_does_not_run_out_while_the_server_is_heard() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("risky", &leased()).await?.ok()?;
    let app = App::start(&admin.role("sdk").await?, "app").await?;
    throughout(LEASE + LEASE / 2, "the lease is renewed by heartbeats", || async {
        ensure!(app.on("risky"), "{}", app.reason("risky"));
        Ok(())
    })
    .await
}

/// A node that reaches neither store nor peers sends heartbeats that renew nothing: a kill may have passed it by.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_of_a_node_that_a_kill_may_have_passed_by_renews_no_lease() -> Outcome {
    let mut redis = Redis::start().await?;
    let server = Server::start(Setup::on(&redis)).await?;
    let admin = server.admin();
    admin.put_flag("risky", &leased()).await?.ok()?;
    admin.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    let app = App::start(&admin.role("sdk").await?, "app").await?;
    redis.kill();
    runs_out(&app).await?;
    redis.restart().await?;
    app.serves("risky", true).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_cache_keeps_when_the_server_was_last_heard() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("risky", &leased()).await?.ok()?;
    admin.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    let cache = tempfile::tempdir()?;
    let app = App::cached(&sdk, "app", cache.path())?;
    app.ready().await?;
    server.kill();
    runs_out(&app).await?;
    app.close().await;
    let app = App::cached(&sdk, "app", cache.path())?;
    app.serves("plain", true).await?;
    ensure!(
        !app.on("risky") && app.reason("risky") == "LEASE_EXPIRED",
        "a new process started a new lease: {}",
        app.reason("risky")
    );
    Ok(())
}
