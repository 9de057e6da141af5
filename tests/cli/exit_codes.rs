//! 0 done, 1 failed, 2 usage, 3 refused by a guard, 4 not confirmed in time.

use anyhow::ensure;
use ripcord_tests::app::Process;
use ripcord_tests::process::Signal;
use ripcord_tests::{Outcome, Server, Setup, flags};

use super::{ripcord, ripcord_as};

async fn server() -> anyhow::Result<Server> {
    let server = Server::start(Setup::embedded()).await?;
    server.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    Ok(server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_is_failed_and_says_what_to_do_next() -> Outcome {
    let mut server = server().await?;
    let unknown = ripcord(&server, &["kill", "chekout", "--reason", "x"]).await?.expect(1)?;
    unknown.error_names(&["FLAG_NOT_FOUND", "chekout"])?;
    let no_key = ripcord_as(&server, "rc_viewer_nonsense", &["flags", "list"]).await?.expect(1)?;
    ensure!(no_key.err.contains("RIPCORD_KEY"), "{}", no_key.err);
    server.kill();
    let away = ripcord(&server, &["flags", "list"]).await?.expect(1)?;
    ensure!(away.err.contains(&server.url()), "{}", away.err);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_is_usage() -> Outcome {
    let server = server().await?;
    for arguments in [
        &["kill"][..],
        &["kill", "checkout", "--all"],
        &["restore", "nonsense", "--reason", "x"],
        &["restore", "k_01jd3x7q8v9w0y2z4a6b8c0d2e"],
        &["nonsense"],
        &["flags", "show"],
        &["kill", "checkout", "--wait", "soon"],
    ] {
        let ran = ripcord(&server, arguments).await?;
        ensure!(ran.code == 2, "{arguments:?} ended with {}: {}", ran.code, ran.err);
        ensure!(!ran.err.is_empty() && ran.out.is_empty(), "{arguments:?}: {ran:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_is_refused_by_a_guard() -> Outcome {
    let server = server().await?;
    let admin = server.admin();
    let id = admin.kill_flag("checkout").await?;
    let pipeline = admin.role("pipeline").await?;
    let refused = ripcord_as(&server, pipeline.key(), &["flags", "disable", "checkout", "--reason", "x"])
        .await?
        .expect(3)?;
    refused.error_names(&["FLAG_KILLED", &id])?;
    let viewer = admin.role("viewer").await?;
    ripcord_as(&server, viewer.key(), &["kill", "checkout", "--reason", "x"]).await?.expect(3)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_is_not_confirmed_in_time_and_names_who_is_missing() -> Outcome {
    let server = server().await?;
    let sdk = server.admin().role("sdk").await?;
    let quick = Process::start(&sdk, "quick", "checkout").await?;
    let frozen = Process::start(&sdk, "frozen", "checkout").await?;
    frozen.serves("true").await?;
    frozen.signal(Signal::Stop)?;
    let ran = ripcord(&server, &["kill", "checkout", "--reason", "x", "--wait", "500ms", "--json"])
        .await?
        .expect(4)?;
    let applied = ran.json()?["confirmation"]["applied"].clone();
    ensure!(applied["confirmed"] == 1 && applied["connected"] == 2, "{applied}");
    ensure!(applied["missing"][0]["name"] == "frozen", "{applied}");
    quick.serves("false").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_json_the_answer_is_json_and_so_is_a_refusal() -> Outcome {
    let server = server().await?;
    for arguments in [
        &["flags", "list", "--json"][..],
        &["flags", "show", "checkout", "--json"],
        &["kill", "checkout", "--reason", "x", "--json"],
        &["kill", "list", "--json"],
        &["audit", "--json"],
        &["audit", "verify", "--json"],
        &["keys", "list", "--json"],
        &["env", "list", "--json"],
        &["segments", "list", "--json"],
        &["flags", "explain", "checkout", "--json"],
        &["doctor", "--json"],
    ] {
        ripcord(&server, arguments)
            .await?
            .expect(0)
            .and_then(|ran| ran.json())
            .map_err(|error| error.context(format!("{arguments:?}")))?;
    }
    let refused = ripcord(&server, &["kill", "nobody", "--reason", "x", "--json"]).await?.expect(1)?;
    refused.problem("FLAG_NOT_FOUND")?;
    Ok(())
}
