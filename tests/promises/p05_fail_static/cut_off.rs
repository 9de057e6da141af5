//! Nodes that are cut off from their store alone, or were away: their peers tell them what they missed, and what they cannot know
//! they do not claim.

use std::time::Duration;

use anyhow::ensure;
use ripcord_tests::stream::{Reader, WebSocket};
use ripcord_tests::waiting::throughout;
use ripcord_tests::{Answer, Api, App, Cluster, Outcome, Redis, SOON, Server, eventually, flags};
use serde_json::json;

use super::super::p04_kill_wins::{assert_alive, assert_killed};
use super::super::p06_kill_without_the_store::{merged, provisional};

/// Two nodes that serve `checkout`; `a` reaches its Redis through the proxy.
async fn cluster() -> anyhow::Result<(Cluster, ripcord_tests::Proxy)> {
    let (cluster, proxy) = Cluster::behind_proxy(Redis::start().await?).await?;
    cluster.a.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    cluster.agree().await?;
    Ok((cluster, proxy))
}

async fn loses_its_store(node: &Server) -> anyhow::Result<Answer> {
    node.readyz_until("the node notices that it is cut off", |answer| {
        answer.body["parts"]["store"]["state"] == "degraded" || answer.status == 503
    })
    .await
}

/// Reads heartbeats until one says this.
async fn heartbeat_says(stream: &mut WebSocket, fresh: bool) -> Outcome {
    let deadline = std::time::Instant::now() + SOON;
    loop {
        let frame = stream.frame(SOON).await?;
        if frame.kind == "heartbeat" && frame.data["fresh"] == fresh {
            return Ok(());
        }
        ensure!(
            std::time::Instant::now() < deadline,
            "no heartbeat said fresh: {fresh}; the last frame is {}",
            frame.data
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_from_its_store_learns_of_kills_from_its_peer_and_is_not_fresh() -> Outcome {
    let (cluster, proxy) = cluster().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    let sdk = a.role("sdk").await?;
    let app = App::start(&sdk, "app").await?;
    let mut stream = WebSocket::connect(&sdk, "raw").await?;
    heartbeat_says(&mut stream, true).await?;
    proxy.cut();
    loses_its_store(&cluster.a).await?;
    let kill = b.kill_flag("checkout").await?;
    eventually(SOON, "the peer told it", || assert_killed(&a, "checkout")).await?;
    app.serves("checkout", false).await?;
    heartbeat_says(&mut stream, false).await?;
    let answer = cluster
        .a
        .readyz_until("it is known to be behind", |answer| answer.body["parts"]["commits"]["code"] == "behind")
        .await?;
    ensure!(
        answer.status == 503 && answer.body["parts"]["commits"]["state"] == "not_ready",
        "{}",
        answer.body
    );
    // It still takes kills.
    a.put_flag("other", &flags::boolean("on")).await?.problem(503, "STORE_UNAVAILABLE")?;
    proxy.point_to(cluster.redis.port());
    cluster.a.readyz_until("it has caught up", |answer| answer.body["status"] == "ready").await?;
    heartbeat_says(&mut stream, true).await?;
    cluster.agree().await?;
    ensure!(a.kills().await? == [kill.clone()], "{:?}", a.kills().await?);
    a.restore(&kill).await?.ok()?;
    app.serves("checkout", true).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_away_asks_its_peers_before_it_serves() -> Outcome {
    let mut cluster = Cluster::start().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    a.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    cluster.agree().await?;
    cluster.b.mirrored().await?;
    cluster.b.kill();
    a.kill_flag("checkout").await?;
    cluster.redis.kill();
    cluster.b.restart_unready().await?;
    assert_killed(&b, "checkout").await?;
    throughout(Duration::from_secs(1), "it stays killed", || assert_killed(&b, "checkout")).await?;
    let answer = cluster.b.readyz().await?;
    ensure!(answer.status == 503 && answer.body["parts"]["commits"]["code"] == "behind", "{}", answer.body);
    cluster.redis.restart().await?;
    cluster.b.readyz_until("it has caught up", |answer| answer.body["status"] == "ready").await?;
    cluster.agree().await?;
    assert_killed(&b, "checkout").await
}

/// A key that leaked is revoked where the store is reached; the node that is not told by the store is told by its peer, and ends what
/// the key has open there. It stays so over a restart, and the log says it once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_revoked_stops_working_on_a_node_that_is_cut_off_from_its_store() -> Outcome {
    let (mut cluster, proxy) = cluster().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    let (sdk, id) = a.role_with_id("sdk").await?;
    cluster.agree().await?;
    let mut stream = WebSocket::connect(&sdk, "raw").await?;
    heartbeat_says(&mut stream, true).await?;
    cluster.a.mirrored().await?;
    proxy.cut();
    loses_its_store(&cluster.a).await?;
    sdk.snapshot().await?;
    b.send(reqwest::Method::DELETE, &format!("/v1/keys/{id}?reason=leaked"), None, &[])
        .await?
        .ok()?;
    eventually(SOON, "the peer told it", || refused(&sdk)).await?;
    let goodbye = loop {
        let frame = stream.frame(SOON).await?;
        if frame.kind == "goodbye" {
            break frame;
        }
    };
    ensure!(goodbye.data["retry"] == false, "{}", goodbye.data);
    let journal = cluster.a.data().join("kills.journal");
    eventually(SOON, "the journal has it", || async {
        ensure!(std::fs::read_to_string(&journal)?.contains(&id));
        Ok(())
    })
    .await?;
    cluster.a.kill();
    cluster.b.kill();
    cluster.a.restart_unready().await?;
    refused(&sdk).await?;
    cluster.b.restart().await?;
    proxy.point_to(cluster.redis.port());
    cluster.agree().await?;
    throughout(Duration::from_secs(1), "it stays revoked", || refused(&sdk)).await?;
    let log = a.get_root("/v1/audit?log=system&limit=1000").await?.ok()?;
    let revocations = ripcord_tests::api::items(&log)?
        .iter()
        .filter(|entry| entry["changes"][0]["subject"] == id.as_str() && entry["changes"][0]["change"] == "revoke_key");
    ensure!(revocations.count() == 1, "{log}");
    Ok(())
}

/// A kill of another scope on each node: the withdrawal of one leaves the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_leaves_the_kill_that_a_peer_committed() -> Outcome {
    let (cluster, proxy) = cluster().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    proxy.cut();
    loses_its_store(&cluster.a).await?;
    let theirs = ripcord_tests::api::id_of(&b.kill(&json!({"all": true})).await?.ok()?)?;
    let own = provisional(&a, "checkout").await?;
    let answer = a.restore(&own).await?;
    ensure!(answer.status == 200 || answer.status == 503, "{} {}", answer.status, answer.body);
    throughout(Duration::from_secs(2), "the other kill stands", || async {
        assert_killed(&a, "checkout").await?;
        ensure!(a.kills().await?.contains(&theirs), "{:?}", a.kills().await?);
        Ok(())
    })
    .await
}

/// What a peer has written to the log cannot be withdrawn, and what the log has ended ends everywhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_says_what_is_known_and_a_restore_reaches_a_node_that_is_cut_off() -> Outcome {
    let (cluster, proxy) = cluster().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    proxy.cut();
    loses_its_store(&cluster.a).await?;
    let id = provisional(&a, "checkout").await?;
    merged(&b, &id).await?;
    let refused = a.restore(&id).await?.problem(503, "STORE_UNAVAILABLE")?;
    ensure!(refused["detail"].to_string().contains(&id), "{refused}");
    assert_killed(&a, "checkout").await?;
    assert_killed(&b, "checkout").await?;
    b.restore(&id).await?.ok()?;
    eventually(SOON, "the peer told it that the kill has ended", || assert_alive(&a, "checkout")).await?;
    proxy.point_to(cluster.redis.port());
    cluster.agree().await?;
    assert_alive(&a, "checkout").await?;
    assert_alive(&b, "checkout").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_names_the_nodes_that_could_not_be_told() -> Outcome {
    let (mut cluster, proxy) = cluster().await?;
    let a = cluster.a.admin();
    proxy.cut();
    loses_its_store(&cluster.a).await?;
    cluster.b.kill();
    let id = provisional(&a, "checkout").await?;
    let answer = a.restore(&id).await?.ok()?;
    ensure!(answer["withdrawn"] == true && answer["revision"].is_null(), "{answer}");
    ensure!(answer["nodes_not_reached"] == json!([cluster.b.url()]), "{answer}");
    ensure!(answer["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty()), "{answer}");
    assert_alive(&a, "checkout").await
}

/// The store is filled by a node that did not know a kill while the node that knows it is cut off: it is never lifted, for no moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orphaned_kill_is_never_lifted_and_stays_until_it_is_merged() -> Outcome {
    let (mut cluster, proxy) = Cluster::behind_proxy(Redis::start().await?).await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    a.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    cluster.agree().await?;
    cluster.b.mirrored().await?;
    cluster.b.kill();
    let kill = a.kill_flag("checkout").await?;
    let app = App::start(&a.role("sdk").await?, "app").await?;
    cluster.a.mirrored().await?;
    proxy.cut();
    loses_its_store(&cluster.a).await?;
    cluster.redis.lose_everything()?;
    cluster.redis.restart().await?;
    // Without its peer, so that it really knows less.
    let alone = ripcord_tests::Setup::on(&cluster.redis).port(cluster.b.port());
    cluster.b.restart_as(alone).await?;
    eventually(SOON, "the node that knows less has filled the store", || async {
        b.put_flag("meanwhile", &flags::boolean("on")).await?.ok().map(drop)
    })
    .await?;
    let watched = app.clone();
    let watching = tokio::spawn(async move {
        throughout(Duration::from_secs(4), "the application serves safe", || async {
            ensure!(!watched.on("checkout"), "it was lifted: {}", watched.status());
            Ok(())
        })
        .await
    });
    proxy.point_to(cluster.redis.port());
    merged(&b, &kill).await?;
    watching.await??;
    cluster.agree().await?;
    assert_killed(&a, "checkout").await?;
    assert_killed(&b, "checkout").await
}

/// The same with the store gone again at once, and the node restarted without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_was_revoked_stays_revoked_when_a_node_that_did_not_know_fills_the_store() -> Outcome {
    let mut cluster = Cluster::start().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    a.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let (viewer, id) = a.role_with_id("viewer").await?;
    cluster.agree().await?;
    eventually(SOON, "the other node knows the key", || async {
        viewer.at(b.url()).get("flags").await?.ok().map(drop)
    })
    .await?;
    cluster.b.mirrored().await?;
    cluster.b.kill();
    a.send(reqwest::Method::DELETE, &format!("/v1/keys/{id}?reason=leaked"), None, &[])
        .await?
        .ok()?;
    cluster.a.mirrored().await?;
    cluster.a.kill();
    cluster.redis.lose_everything()?;
    cluster.redis.restart().await?;
    cluster.b.restart().await?;
    eventually(SOON, "the node that knows less has filled the store", || async {
        b.put_flag("meanwhile", &flags::boolean("on")).await?.ok().map(drop)
    })
    .await?;
    cluster.a.restart().await?;
    refused(&viewer).await?;
    eventually(SOON, "the revocation is merged", || refused_at(&viewer, &b)).await?;
    throughout(Duration::from_secs(1), "it stays revoked", || refused(&viewer)).await?;
    let orphans = std::fs::read_to_string(cluster.a.data().join("orphaned.jsonl"))?;
    ensure!(
        orphans.lines().any(|line| line.contains("\"log\":\"system\"")),
        "the lost entries are not listed: {orphans}"
    );
    are_listed(&cluster, &id).await?;
    cluster.a.restart().await?;
    are_listed(&cluster, &id).await
}

/// What was lost is listed by the node that had it, to those who may read that log, and `doctor` names it.
async fn are_listed(cluster: &Cluster, key: &str) -> Outcome {
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    let listed = a.get_root("/v1/audit/orphans?log=system").await?.ok()?;
    let is_revocation = |orphan: &serde_json::Value| orphan["changes"][0]["change"] == "revoke_key" && orphan["changes"][0]["subject"] == key;
    ensure!(ripcord_tests::api::items(&listed)?.iter().any(is_revocation), "{listed}");
    let reader = a.role("viewer").await?;
    reader.get_root("/v1/audit/orphans?log=system").await?.problem(403, "FORBIDDEN")?;
    let own = reader.get_root("/v1/audit/orphans").await?.ok()?;
    ensure!(ripcord_tests::api::items(&own)?.iter().all(|orphan| orphan["log"] == "production"), "{own}");
    let elsewhere = b.get_root("/v1/audit/orphans").await?.ok()?;
    ensure!(
        ripcord_tests::api::items(&elsewhere)?.is_empty(),
        "the other node has lost nothing: {elsewhere}"
    );
    let ran = cluster
        .a
        .command()
        .args(["doctor", "--json", "--server", &cluster.a.url(), "--key", a.key()])
        .output()?;
    let found: serde_json::Value = serde_json::from_slice(&ran.stdout)?;
    let named = found["checks"]
        .as_array()
        .is_some_and(|checks| checks.iter().any(|check| check["check"] == "log" && check["state"] == "warning"));
    ensure!(named, "{found}");
    Ok(())
}

async fn refused(key: &Api) -> Outcome {
    key.get("flags").await?.problem(401, "UNAUTHENTICATED").map(drop)
}

async fn refused_at(key: &Api, node: &Api) -> Outcome {
    refused(&key.at(node.url())).await
}

/// A node whose own copy cannot be written knows more than it holds: it is not ready, and never fills the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_copy_cannot_be_written_does_not_fill_the_store() -> Outcome {
    let cluster = Cluster::forgetful().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    a.put_flag("early", &flags::boolean("on")).await?.ok()?;
    cluster.agree().await?;
    cluster.b.mirrored().await?;
    cluster.b.process()?.fill_its_disk()?;
    for n in 0..30 {
        a.put_flag(&format!("flag-{n}"), &flags::boolean("on")).await?.ok()?;
    }
    cluster.agree().await?;
    let answer = cluster
        .b
        .readyz_until("it says that its copy cannot be written", |answer| {
            answer.body["parts"]["mirror"]["code"] == "mirror_unwritable"
        })
        .await?;
    ensure!(answer.status == 503, "{}", answer.body);
    cluster.a.mirrored().await?;
    cluster.redis.flush()?;
    eventually(SOON, "the healthy node has filled the store", || async {
        let snapshot = a.snapshot().await?;
        ensure!(snapshot["epoch"].as_u64() > Some(1), "{}", snapshot["epoch"]);
        ensure!(snapshot["flags"]["flag-29"].is_object(), "commits are lost");
        a.put_flag("after", &flags::boolean("on")).await?.ok().map(drop)
    })
    .await?;
    cluster.b.process()?.free_its_disk()?;
    cluster
        .b
        .readyz_until("its copy is whole again", |answer| answer.body["status"] == "ready")
        .await?;
    cluster.agree().await?;
    let report = b.get_root("/v1/audit/verify").await?.ok()?;
    ensure!(report["whole"] == true, "{report}");
    Ok(())
}
