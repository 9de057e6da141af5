//! Applications whose server is gone.

use std::time::Duration;

use anyhow::ensure;
use ripcord_tests::waiting::throughout;
use ripcord_tests::{App, Outcome, SOON, Server, Setup, eventually, flags};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sdk_goes_on_from_memory_when_its_server_is_gone_and_comes_back_with_it() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let app = App::start(&admin.role("sdk").await?, "app").await?;
    server.kill();
    throughout(Duration::from_secs(1), "the flag is served", || async {
        ensure!(app.on("checkout"));
        Ok(())
    })
    .await?;
    server.restart().await?;
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    app.serves("checkout", false).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sdk_starts_from_its_disk_cache_when_the_server_is_away() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    admin.put_flag("risky", &flags::boolean("on")).await?.ok()?;
    admin.kill_flag("risky").await?;
    let cache = tempfile::tempdir()?;
    let app = App::cached(&sdk, "app", cache.path())?;
    app.ready().await?;
    eventually(SOON, "the SDK has all of it", || async {
        ensure!(app.revision() == 3, "{}", app.status());
        Ok(())
    })
    .await?;
    app.close().await;
    server.kill();
    let app = App::cached(&sdk, "app", cache.path())?;
    app.serves("checkout", true).await?;
    ensure!(
        !app.on("risky") && app.reason("risky") == "KILLED",
        "the kill is not in the cache: {}",
        app.reason("risky")
    );
    server.restart().await?;
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    app.serves("checkout", false).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_any_data_the_callers_defaults_are_served_and_the_reason_says_so() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    let sdk = server.admin().role("sdk").await?;
    server.kill();
    let app = App::uncached(&sdk, "app")?;
    ensure!(!app.on("checkout"));
    ensure!(app.reason("checkout") != "STATIC", "{}", app.reason("checkout"));
    ensure!(
        tokio::time::timeout(Duration::from_millis(300), app.ready()).await.is_err(),
        "it says that it is ready without data"
    );
    server.restart().await?;
    server.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    app.ready().await?;
    app.serves("checkout", true).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_disk_cache_is_set_aside_and_never_stops_an_application() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let cache = tempfile::tempdir()?;
    let app = App::cached(&sdk, "app", cache.path())?;
    app.ready().await?;
    app.close().await;
    for entry in std::fs::read_dir(cache.path())? {
        let path = entry?.path();
        if path.is_file() {
            let whole = std::fs::read(&path)?;
            std::fs::write(&path, &whole[..whole.len() / 2])?;
        }
    }
    server.kill();
    let app = App::cached(&sdk, "app", cache.path())?;
    ensure!(!app.on("checkout"), "half a cache was served");
    server.restart().await?;
    app.serves("checkout", true).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sdk_goes_on_while_its_server_is_frozen_and_catches_up_when_it_thaws() -> Outcome {
    // A stopped process keeps its connections open: only silence tells.
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let app = App::start(&admin.role("sdk").await?, "app").await?;
    server.process()?.signal(ripcord_tests::process::Signal::Stop)?;
    throughout(Duration::from_secs(1), "the flag is served", || async {
        ensure!(app.on("checkout"));
        Ok(())
    })
    .await?;
    server.process()?.signal(ripcord_tests::process::Signal::Cont)?;
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    app.serves("checkout", false).await
}
