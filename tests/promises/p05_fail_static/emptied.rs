//! A Redis that comes back empty, older or diverged.

use anyhow::ensure;
use ripcord_tests::waiting::throughout;
use ripcord_tests::{Api, App, Cluster, Outcome, Redis, SOON, Server, Setup, eventually, flags};
use std::time::Duration;

use super::super::p04_kill_wins::assert_killed;

async fn fill(api: &Api) -> anyhow::Result<String> {
    for n in 0..20 {
        api.put_flag(&format!("flag-{n}"), &flags::boolean("on")).await?.ok()?;
    }
    api.put_flag("risky", &flags::boolean("on")).await?.ok()?;
    api.kill_flag("risky").await
}

/// Flags, kills, keys and history are there, in a new epoch.
async fn is_filled_again(api: &Api, viewer: &Api, kill: &str, epoch: u64) -> Outcome {
    let snapshot = eventually(SOON, "a new epoch", || async {
        let snapshot = api.snapshot().await?;
        ensure!(snapshot["epoch"].as_u64() > Some(epoch), "still epoch {}", snapshot["epoch"]);
        Ok(snapshot)
    })
    .await?;
    ensure!(
        snapshot["flags"].as_object().is_some_and(|flags| flags.len() >= 21),
        "flags are missing: {snapshot}"
    );
    ensure!(api.kills().await? == [kill], "the kill is missing");
    viewer.get("flags").await?.ok()?;
    ensure!(api.log().await?.len() > 21, "history is missing");
    let report = api.get_root("/v1/audit/verify").await?.ok()?;
    ensure!(report["whole"] == true, "{report}");
    eventually(SOON, "writes go through", || async {
        api.put_flag("after", &flags::boolean("on")).await?.ok().map(drop)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flushed_redis_empties_no_node_and_is_filled_again() -> Outcome {
    let cluster = Cluster::start().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    let viewer = a.role("viewer").await?;
    let kill = fill(&a).await?;
    cluster.agree().await?;
    let app = App::start(&a.role("sdk").await?, "app").await?;
    cluster.redis.flush()?;
    throughout(Duration::from_secs(1), "the SDK keeps its flags", || async {
        ensure!(app.on("flag-7") && !app.on("risky"));
        Ok(())
    })
    .await?;
    is_filled_again(&a, &viewer, &kill, 1).await?;
    cluster.agree().await?;
    is_filled_again(&b, &viewer.at(b.url()), &kill, 1).await?;
    cluster.agree().await?;
    ensure!(app.on("flag-7"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_restarted_without_its_data_is_filled_again_from_memory() -> Outcome {
    let mut cluster = Cluster::forgetful().await?;
    let a = cluster.a.admin();
    let viewer = a.role("viewer").await?;
    let kill = fill(&a).await?;
    cluster.agree().await?;
    cluster.redis.restart().await?;
    is_filled_again(&a, &viewer, &kill, 1).await?;
    cluster.agree().await?;
    assert_killed(&cluster.b.admin(), "risky").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_went_back_in_time_takes_nothing_back() -> Outcome {
    let mut cluster = Cluster::start().await?;
    let a = cluster.a.admin();
    let viewer = a.role("viewer").await?;
    a.put_flag("early", &flags::boolean("on")).await?.ok()?;
    cluster.agree().await?;
    let old = cluster.redis.copy_of_files()?;
    let kill = fill(&a).await?;
    cluster.agree().await?;
    cluster.redis.go_back_to(&old)?;
    cluster.redis.restart().await?;
    is_filled_again(&a, &viewer, &kill, 1).await?;
    cluster.agree().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_node_on_an_emptied_redis_yields_to_a_node_that_knows() -> Outcome {
    let mut redis = Redis::start().await?;
    let server = Server::start(Setup::on(&redis)).await?;
    let admin = server.admin();
    let viewer = admin.role("viewer").await?;
    let kill = fill(&admin).await?;
    redis.lose_everything()?;
    redis.restart().await?;
    let fresh = Server::start(Setup::on(&redis)).await?;
    is_filled_again(&admin, &viewer, &kill, 1).await?;
    eventually(SOON, "the fresh node has everything", || async {
        let (there, here) = (fresh.admin().snapshot().await?, admin.snapshot().await?);
        ensure!(
            there["hash"] == here["hash"] && there["epoch"] == here["epoch"],
            "epoch {} revision {}",
            there["epoch"],
            there["revision"]
        );
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_restarted_together_with_an_emptied_redis_fills_it_from_its_mirror() -> Outcome {
    let mut redis = Redis::start().await?;
    let mut server = Server::start(Setup::on(&redis)).await?;
    let admin = server.admin();
    let viewer = admin.role("viewer").await?;
    let kill = fill(&admin).await?;
    server.stop()?;
    redis.lose_everything()?;
    redis.restart().await?;
    server.restart().await?;
    is_filled_again(&admin, &viewer, &kill, 1).await
}

/// Two nodes, of which one was away when the last commits were made: the one that knows more fills the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_the_one_that_knows_more_fills_the_store() -> Outcome {
    let mut cluster = Cluster::start().await?;
    let a = cluster.a.admin();
    let viewer = a.role("viewer").await?;
    a.put_flag("early", &flags::boolean("on")).await?.ok()?;
    cluster.agree().await?;
    cluster.b.stop()?;
    let kill = fill(&a).await?;
    cluster.a.stop()?;
    cluster.redis.lose_everything()?;
    cluster.redis.restart().await?;
    // The one that knows less comes first.
    cluster.b.restart_unready().await?;
    cluster.a.restart().await?;
    is_filled_again(&a, &viewer, &kill, 1).await?;
    cluster.agree().await?;
    Ok(())
}

/// The node that knows less has filled the store before the other came back: what only that one knows is not dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_that_only_a_later_node_knows_is_merged() -> Outcome {
    let mut cluster = Cluster::start().await?;
    let a = cluster.a.admin();
    a.put_flag("early", &flags::boolean("on")).await?.ok()?;
    cluster.agree().await?;
    cluster.b.mirrored().await?;
    cluster.b.kill();
    a.put_flag("later", &flags::boolean("on")).await?.ok()?;
    let kill = a.kill_flag("early").await?;
    cluster.a.mirrored().await?;
    cluster.a.kill();
    cluster.redis.lose_everything()?;
    cluster.redis.restart().await?;
    cluster.b.restart().await?;
    let b = cluster.b.admin();
    eventually(SOON, "the node that knows less has filled the store", || async {
        b.put_flag("meanwhile", &flags::boolean("on")).await?.ok().map(drop)
    })
    .await?;
    cluster.a.restart().await?;
    cluster.agree().await?;
    for api in [&a, &b] {
        assert_killed(api, "early").await?;
        ensure!(api.kills().await? == std::slice::from_ref(&kill), "{:?}", api.kills().await?);
    }
    Ok(())
}
