//! Promise 6: a kill takes effect without the store, and is merged whole, once, in any order.

mod full_disk;
mod merge;
mod unknown;

use std::time::{Duration, Instant};

use anyhow::ensure;
use ripcord_tests::stream::{Reader, WebSocket};
use ripcord_tests::waiting::throughout;
use ripcord_tests::{Answer, Api, App, Cluster, Outcome, Proxy, Redis, Replica, SOON, Server, Setup, eventually, flags};
use serde_json::json;

use super::p04_kill_wins::{assert_alive, assert_killed};

/// The most that a kill may take: a quarter of a second for the store, and what a busy machine adds. One that was queued behind
/// writes would take as long as they wait for Redis, ten seconds.
const KILL_WITHIN: Duration = Duration::from_secs(5);

/// A provisional kill of a flag; its id.
pub async fn provisional(api: &Api, flag: &str) -> anyhow::Result<String> {
    let started = Instant::now();
    let answer = api.kill(&json!({"flag": flag})).await?;
    let took = started.elapsed();
    assert_provisional(&answer)?;
    ensure!(took < KILL_WITHIN, "a kill without its store took {took:?}");
    ripcord_tests::api::id_of(&answer.body)
}

fn assert_provisional(answer: &Answer) -> Outcome {
    ensure!(answer.status == 201, "{} {}", answer.status, answer.body);
    ensure!(
        answer.body["provisional"] == true && answer.body["revision"].is_null(),
        "not provisional: {}",
        answer.body
    );
    Ok(())
}

/// Waits until a kill stands in the log.
pub async fn merged(api: &Api, id: &str) -> Outcome {
    eventually(SOON, "the kill is merged into the log", || async {
        let view = api.get(&format!("kills/{id}")).await?.ok()?;
        ensure!(view["provisional"] != true && view["revision"].is_u64(), "{view}");
        Ok(())
    })
    .await
}

/// How often a kill was put into the log and taken out of it.
pub async fn in_the_log(api: &Api, id: &str) -> anyhow::Result<(usize, usize)> {
    let log = api.log().await?;
    let changes = || log.iter().flat_map(|entry| entry["changes"].as_array().into_iter().flatten());
    let count = |name: &str| changes().filter(|change| change["change"] == name && change["key"] == id).count();
    Ok((count("put_kill"), count("restore")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_redis_paused_or_gone_a_kill_takes_effect_and_is_merged_later() -> Outcome {
    for paused in [true, false] {
        let mut redis = Redis::start().await?;
        let server = Server::start(Setup::on(&redis)).await?;
        let admin = server.admin();
        admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
        let sdk = admin.role("sdk").await?;
        let app = App::start(&sdk, "app").await?;
        let mut stream = WebSocket::connect(&sdk, "raw").await?;
        let mut replica = Replica::default();
        replica.apply(&stream.expect("snapshot", SOON).await?)?;
        if paused {
            redis.pause()?;
        } else {
            redis.kill();
        }
        let id = provisional(&admin, "checkout").await?;
        replica.apply(&stream.expect("overlay", SOON).await?)?;
        ensure!(
            replica.overlay.contains_key(&id) && replica.revision == 1,
            "an overlay lies on revision {}",
            replica.revision
        );
        eventually(SOON, "the SDK serves safe", || async {
            ensure!(!app.on("checkout") && app.reason("checkout") == "KILLED");
            Ok(())
        })
        .await?;
        assert_killed(&admin, "checkout").await?;
        let snapshot = admin.snapshot().await?;
        ensure!(snapshot["revision"] == 1 && !snapshot["overlay"]["kills"][&id].is_null(), "{snapshot}");
        if paused {
            redis.resume()?;
        } else {
            redis.restart().await?;
        }
        merged(&admin, &id).await?;
        while replica.ended.get(&id).is_none_or(|how| how != "merged") || !replica.kills.contains_key(&id) {
            replica.apply(&stream.frame(SOON).await?)?;
            let covered = replica.overlay.contains_key(&id) || replica.kills.contains_key(&id);
            ensure!(covered, "between overlay and log a frame was without the kill");
        }
        ensure!(
            in_the_log(&admin, &id).await? == (1, 0),
            "it is in the log {:?} times",
            in_the_log(&admin, &id).await?
        );
        ensure!(!app.on("checkout"), "the merge lifted the kill");
        admin.restore(&id).await?.ok()?;
        app.serves("checkout", true).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_is_not_queued_behind_writes_that_wait_for_a_paused_redis() -> Outcome {
    let redis = Redis::start().await?;
    let server = Server::start(Setup::on(&redis)).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    redis.pause()?;
    let waiting: Vec<_> = (0..16)
        .map(|n| {
            let admin = admin.clone();
            tokio::spawn(async move { admin.put_flag(&format!("waits-{n}"), &flags::boolean("on")).await })
        })
        .collect();
    // The first bytes of a write are with Redis, which takes none of them.
    eventually(SOON, "the writes wait for Redis", || async {
        ensure!(redis.unread()? > 0, "nothing was sent to Redis yet");
        Ok(())
    })
    .await?;
    let id = provisional(&admin, "checkout").await?;
    ensure!(!waiting.iter().all(tokio::task::JoinHandle::is_finished), "no write waited while it was killed");
    redis.resume()?;
    for write in waiting {
        let answer = write.await??;
        ensure!(answer.status < 300 || answer.status == 503, "{} {}", answer.status, answer.body);
    }
    merged(&admin, &id).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provisional_kill_is_journaled_and_survives_kill_9() -> Outcome {
    let mut redis = Redis::start().await?;
    let mut server = Server::start(Setup::on(&redis)).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    server.mirrored().await?;
    redis.kill();
    let id = provisional(&admin, "checkout").await?;
    server.kill();
    server.restart().await?;
    assert_killed(&admin, "checkout").await?;
    ensure!(admin.kills().await? == std::slice::from_ref(&id));
    redis.restart().await?;
    merged(&admin, &id).await?;
    ensure!(in_the_log(&admin, &id).await? == (1, 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provisional_kill_reaches_the_peers_and_their_applications() -> Outcome {
    let cluster = Cluster::start().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    a.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let sdk = a.role("sdk").await?;
    cluster.agree().await?;
    let app = App::start(&sdk.at(b.url()), "on-b").await?;
    cluster.redis.pause()?;
    let id = provisional(&a, "checkout").await?;
    eventually(SOON, "the peer serves safe", || assert_killed(&b, "checkout")).await?;
    app.serves("checkout", false).await?;
    cluster.redis.resume()?;
    merged(&b, &id).await?;
    cluster.agree().await?;
    ensure!(in_the_log(&b, &id).await? == (1, 0));
    ensure!(!app.on("checkout"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_node_that_took_a_provisional_kill_may_withdraw_it() -> Outcome {
    let mut cluster = Cluster::start().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    a.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    cluster.agree().await?;
    let app = App::start(&a.role("sdk").await?, "app").await?;
    cluster.redis.kill();
    let id = provisional(&a, "checkout").await?;
    eventually(SOON, "the peer has it", || assert_killed(&b, "checkout")).await?;
    let withdrawn = a.restore(&id).await?;
    ensure!(
        withdrawn.status == 200 && withdrawn.body["withdrawn"] == true,
        "{} {}",
        withdrawn.status,
        withdrawn.body
    );
    assert_alive(&a, "checkout").await?;
    eventually(SOON, "the peer has heard of it", || assert_alive(&b, "checkout")).await?;
    app.serves("checkout", true).await?;
    cluster.redis.restart().await?;
    cluster.a.readyz_until("ready again", |ready| ready.body["status"] == "ready").await?;
    eventually(SOON, "writes go through", || async {
        a.put_flag("later", &flags::boolean("on")).await?.ok().map(drop)
    })
    .await?;
    cluster.agree().await?;
    assert_alive(&a, "checkout").await?;
    ensure!(in_the_log(&a, &id).await?.0 == 0, "a withdrawn kill came into the log");
    Ok(())
}

/// Behind one address stand two nodes that cannot hear each other; only one of them knows of the kill.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sdk_keeps_a_provisional_kill_over_reconnects_and_in_its_disk_cache() -> Outcome {
    let cluster = Cluster::strangers().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    a.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let proxy = Proxy::to(cluster.a.port()).await?;
    let sdk = a.role("sdk").await?.at(&proxy.url());
    cluster.agree().await?;
    let cache = tempfile::tempdir()?;
    let app = App::cached(&sdk, "app", cache.path())?;
    app.ready().await?;
    cluster.redis.pause()?;
    let id = provisional(&a, "checkout").await?;
    app.serves("checkout", false).await?;
    proxy.point_to(cluster.b.port());
    is_connected_and_still_killed(&b, &app).await?;
    app.close().await;
    let app = App::cached(&sdk, "app", cache.path())?;
    app.ready().await?;
    is_connected_and_still_killed(&b, &app).await?;
    assert_alive(&b, "checkout").await?;
    cluster.redis.resume()?;
    merged(&b, &id).await?;
    b.restore(&id).await?.ok()?;
    app.serves("checkout", true).await
}

async fn is_connected_and_still_killed(node: &Api, app: &App) -> Outcome {
    eventually(SOON, "the SDK is connected to the node that never heard of the kill", || async {
        let connections = node.get("connections").await?.ok()?;
        ensure!(
            connections["items"][0]["revision"] == 1 && connections["items"][0]["lost"] != true,
            "{connections}"
        );
        Ok(())
    })
    .await?;
    throughout(Duration::from_millis(300), "the kill is kept", || async {
        ensure!(!app.on("checkout") && app.reason("checkout") == "KILLED", "{}", app.status());
        Ok(())
    })
    .await
}

/// Even the journal cannot be written: the disk is full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_whose_journal_cannot_be_written_takes_effect_and_says_that_a_restart_loses_it() -> Outcome {
    let redis = Redis::start().await?;
    // What it prints goes nowhere: that would be written to the full disk too.
    let server = Server::start(Setup::on(&redis).quiet()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    redis.pause()?;
    server.process()?.fill_its_disk()?;
    let answer = admin.kill(&json!({"flag": "checkout"})).await?;
    assert_provisional(&answer)?;
    ensure!(answer.body["lost_on_restart"] == true, "{}", answer.body);
    ensure!(
        answer.body["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty()),
        "the answer does not say so plainly: {}",
        answer.body
    );
    assert_killed(&admin, "checkout").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provisional_kill_is_confirmed_by_its_id() -> Outcome {
    let redis = Redis::start().await?;
    let server = Server::start(Setup::on(&redis)).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let _app = App::start(&admin.role("sdk").await?, "app").await?;
    redis.pause()?;
    let body = json!({"scope": {"flag": "checkout"}, "reason": "a test"});
    let answer = admin.post("kills?wait=5s", &body).await?;
    assert_provisional(&answer)?;
    let confirmation = &answer.body["confirmation"];
    ensure!(confirmation["complete"] == true && confirmation["applied"]["confirmed"] == 1, "{confirmation}");
    ensure!(
        confirmation["kill"] == answer.body["id"] && confirmation["revision"].is_null(),
        "{confirmation}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_need_a_shared_secret() -> Outcome {
    let redis = Redis::start().await?;
    let mut server = Server::prepare(Setup::on(&redis).peer(ripcord_tests::ports::free()).without("RIPCORD_PEER_SECRET"))?;
    server.refuses()
}
