//! A disk that is full when a kill is made: the kill takes effect, and is written as soon as the disk takes it.

use anyhow::ensure;
use ripcord_tests::{Outcome, Redis, SOON, Server, Setup, eventually, flags};
use serde_json::json;

use super::super::p04_kill_wins::assert_killed;
use super::{assert_provisional, in_the_log, merged};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_made_on_a_full_disk_is_in_the_log_when_the_disk_takes_it_and_the_store_opens_again() -> Outcome {
    // What it prints goes nowhere: that would be written to the full disk too.
    let mut server = Server::start(Setup::embedded().quiet()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    server.process()?.fill_its_disk()?;
    let answer = admin.kill(&json!({"flag": "checkout"})).await?;
    assert_provisional(&answer)?;
    ensure!(answer.body["lost_on_restart"] == true, "{}", answer.body);
    let id = ripcord_tests::api::id_of(&answer.body)?;
    server
        .readyz_until("it says that the disk takes nothing", |answer| {
            answer.body["parts"]["store"]["code"] == "store_disk"
        })
        .await?;
    admin.put_flag("other", &flags::boolean("on")).await?.problem(503, "STORE_UNAVAILABLE")?;
    server.process()?.free_its_disk()?;
    merged(&admin, &id).await?;
    server.readyz_until("ready again", |answer| answer.body["status"] == "ready").await?;
    admin.put_flag("other", &flags::boolean("on")).await?.ok()?;
    server.kill();
    server.restart().await?;
    assert_killed(&admin, "checkout").await?;
    ensure!(in_the_log(&admin, &id).await? == (1, 0), "{:?}", in_the_log(&admin, &id).await?);
    let report = admin.get_root("/v1/audit/verify").await?.ok()?;
    ensure!(report["whole"] == true, "{report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_that_only_memory_held_survives_kill_9_once_the_disk_takes_it() -> Outcome {
    let redis = Redis::start().await?;
    let mut server = Server::start(Setup::on(&redis).quiet()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    server.mirrored().await?;
    redis.pause()?;
    server.process()?.fill_its_disk()?;
    let first = admin.kill(&json!({"flag": "checkout"})).await?;
    assert_provisional(&first)?;
    ensure!(first.body["lost_on_restart"] == true, "{}", first.body);
    server.process()?.free_its_disk()?;
    eventually(SOON, "the kill is on disk", || async {
        let again = admin.kill(&json!({"flag": "checkout"})).await?.ok()?;
        ensure!(again["id"] == first.body["id"] && again["lost_on_restart"] != true, "{again}");
        Ok(())
    })
    .await?;
    server.kill();
    server.restart_unready().await?;
    assert_killed(&admin, "checkout").await?;
    redis.resume()?;
    merged(&admin, &ripcord_tests::api::id_of(&first.body)?).await
}
