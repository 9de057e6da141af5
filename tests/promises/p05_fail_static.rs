//! Promise 5: reads come from memory alone, and a store that comes back different from what it was empties nothing.

mod ahead;
mod applications;
mod cut_off;
mod emptied;
mod refusing;

use std::time::Duration;

use anyhow::ensure;
use ripcord_tests::stream::{Reader, WebSocket};
use ripcord_tests::waiting::throughout;
use ripcord_tests::{Api, App, Cluster, Outcome, Redis, Replica, SOON, Server, Setup, eventually, flags};
use serde_json::json;

/// How Redis goes away.
#[derive(Debug, Clone, Copy)]
pub enum Loss {
    /// Its process is gone.
    Killed,
    /// It is frozen: connections stay open, answers do not come.
    Paused,
}

impl Loss {
    fn happen(self, redis: &mut Redis) -> Outcome {
        match self {
            Self::Killed => redis.kill(),
            Self::Paused => redis.pause()?,
        }
        Ok(())
    }

    async fn end(self, redis: &mut Redis) -> Outcome {
        match self {
            Self::Killed => redis.restart().await,
            Self::Paused => redis.resume(),
        }
    }
}

/// Reads are still answered, and say that they are stale.
async fn reads_are_answered(api: &Api) -> Outcome {
    let answer = api.post("explain", &json!({"flag": "checkout", "context": {"targetingKey": "u"}})).await?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
    ensure!(
        answer.body["value"] == true && answer.body["reason"] == "STATIC",
        "the reason of an answer stays what it is: {}",
        answer.body
    );
    let flag = api.get("flags/checkout").await?;
    ensure!(flag.status == 200 && flag.body["flag"]["default"] == "on", "{}", flag.body);
    let snapshot = api.get_root("/v1/snapshot?environment=production").await?;
    ensure!(
        snapshot.status == 200 && snapshot.body["flags"]["checkout"]["default"] == "on",
        "{}",
        snapshot.body
    );
    Ok(())
}

async fn is_marked_stale(api: &Api) -> Outcome {
    let answer = api.post("explain", &json!({"flag": "checkout", "context": {}})).await?;
    ensure!(answer.body["stale"] == true, "not marked stale: {}", answer.body);
    ensure!(answer.header("ripcord-stale").is_some(), "no Ripcord-Stale header");
    Ok(())
}

async fn without_its_store(loss: Loss) -> Outcome {
    let mut redis = Redis::start().await?;
    let mut server = Server::start(Setup::on(&redis)).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let sdk = admin.role("sdk").await?;
    let app = App::start(&sdk, "app").await?;
    let mut stream = WebSocket::connect(&sdk, "raw").await?;
    stream.expect("snapshot", SOON).await?;

    loss.happen(&mut redis)?;
    server
        .readyz_until("degraded, and ready all the same", |ready| {
            ready.status == 200 && ready.body["status"] == "degraded"
        })
        .await?;
    let ready = server.readyz().await?.body;
    let parts = ready["parts"].as_object().into_iter().flatten();
    ensure!(
        parts
            .clone()
            .any(|(_, part)| part["state"] == "degraded" && part["why"] != json!("") && part["since"].is_string()),
        "{ready}"
    );
    eventually(SOON, "reads are marked", || is_marked_stale(&admin)).await?;
    throughout(Duration::from_secs(1), "reads are answered", || reads_are_answered(&admin)).await?;
    ensure!(app.on("checkout"), "the SDK lost the flag");
    let refused = admin.put_flag("checkout", &flags::boolean("off")).await?;
    let code = refused.body["code"].as_str().unwrap_or_default();
    ensure!(
        refused.status == 503 && ["STORE_UNAVAILABLE", "OUTCOME_UNKNOWN"].contains(&code),
        "{} {}",
        refused.status,
        refused.body
    );
    let heartbeat = stream.expect("heartbeat", Duration::from_secs(40)).await?;
    ensure!(
        heartbeat.data["fresh"] == false,
        "without store and without peers a heartbeat is not fresh: {}",
        heartbeat.data
    );
    // New readers are served from memory too.
    let mut replica = Replica::default();
    replica.apply(&WebSocket::connect(&sdk, "late").await?.expect("snapshot", SOON).await?)?;
    ensure!(replica.default_variant("checkout") == Some("on"));

    loss.end(&mut redis).await?;
    server.readyz_until("ready again", |ready| ready.body["status"] == "ready").await?;
    eventually(SOON, "writes go through again", || async {
        admin.put_flag("later", &flags::boolean("on")).await?.ok().map(drop)
    })
    .await?;
    app.serves("later", true).await?;
    let answer = admin.explain("checkout", "u").await?;
    ensure!(answer["stale"] != true, "{answer}");
    server.kill();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_its_redis_killed_a_node_goes_on_and_says_so() -> Outcome {
    without_its_store(Loss::Killed).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_its_redis_paused_a_node_goes_on_and_says_so() -> Outcome {
    without_its_store(Loss::Paused).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_never_saw_its_store_is_alive_and_not_ready() -> Outcome {
    let mut redis = Redis::start().await?;
    redis.kill();
    let mut server = Server::prepare(Setup::on(&redis))?;
    server.restart_unready().await?;
    let ready = server.readyz().await?;
    ensure!(ready.status == 503 && ready.body["status"] == "not_ready", "{} {}", ready.status, ready.body);
    let answer = server.admin().get_root("/v1/snapshot?environment=production").await?;
    ensure!(answer.status >= 400, "a node without data answers {} {}", answer.status, answer.body);
    redis.restart().await?;
    server.until("/readyz", 200).await?;
    server.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_starts_from_its_mirror_without_redis_with_keys_history_and_kills() -> Outcome {
    let mut redis = Redis::start().await?;
    let mut server = Server::start(Setup::on(&redis)).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    admin.put_flag("risky", &flags::boolean("on")).await?.ok()?;
    let kill = admin.kill_flag("risky").await?;
    let viewer = admin.role("viewer").await?;
    server.stop()?;
    redis.kill();
    server.restart().await?;
    let ready = server.readyz().await?;
    ensure!(ready.body["status"] == "degraded", "{}", ready.body);
    reads_are_answered(&viewer).await?;
    is_marked_stale(&viewer).await?;
    ensure!(viewer.kills().await? == [kill]);
    ensure!(viewer.log().await?.len() >= 3, "the history is gone");
    redis.restart().await?;
    server.readyz_until("ready again", |ready| ready.body["status"] == "ready").await?;
    admin.put_flag("later", &flags::boolean("on")).await?.ok()?;
    Ok(())
}

/// The kill path stays as long as nobody is known to be fresher.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_its_store_stays_ready_until_another_reaches_it() -> Outcome {
    let mut redis = Redis::start().await?;
    let server = Server::start(Setup::on(&redis).argument("--stale-after").argument("1s")).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    redis.kill();
    server.readyz_until("degraded", |ready| ready.body["status"] == "degraded").await?;
    throughout(Duration::from_secs(3), "it stays in service, with its kills", || async {
        let ready = server.readyz().await?;
        ensure!(ready.status == 200 && ready.body["status"] == "degraded", "{} {}", ready.status, ready.body);
        Ok(())
    })
    .await?;
    let (cluster, proxy) = Cluster::behind_proxy_as(Redis::start().await?, &["--stale-after", "1s"]).await?;
    cluster.a.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    cluster.agree().await?;
    proxy.cut();
    let ready = cluster
        .a
        .readyz_until("its peer reaches the store, and it does not", |ready| ready.status == 503)
        .await?;
    ensure!(ready.body["parts"]["store"]["code"] == "store_unreachable", "{}", ready.body);
    // It still takes kills.
    ensure!(cluster.a.admin().kill(&json!({"flag": "checkout"})).await?.status == 201);
    Ok(())
}

/// Redis stopped and started, killed and paused while two nodes take commits: the nodes agree, no answered commit is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_traffic_a_redis_that_comes_and_goes_loses_no_answered_commit() -> Outcome {
    let mut cluster = Cluster::start().await?;
    let nodes = [cluster.a.admin(), cluster.b.admin()];
    let (over, stop) = tokio::sync::watch::channel(false);
    let writers: Vec<_> = nodes
        .iter()
        .enumerate()
        .map(|(node, api)| {
            let (api, stop) = (api.clone(), stop.clone());
            tokio::spawn(async move {
                let mut answered = 0;
                for n in 1.. {
                    if *stop.borrow() {
                        break;
                    }
                    if api
                        .put_flag(&format!("node-{node}"), &flags::number(n))
                        .await
                        .is_ok_and(|answer| answer.status < 300)
                    {
                        answered = n;
                    }
                }
                answered
            })
        })
        .collect();
    for loss in [Loss::Killed, Loss::Paused, Loss::Killed, Loss::Paused] {
        let before = cluster.a.admin().revision().await?;
        eventually(SOON, "commits are made", || async {
            ensure!(cluster.a.admin().revision().await? > before, "still at {before}");
            Ok(())
        })
        .await?;
        loss.happen(&mut cluster.redis)?;
        cluster.a.readyz_until("without its store", |ready| ready.body["status"] != "ready").await?;
        loss.end(&mut cluster.redis).await?;
        cluster.a.readyz_until("ready again", |ready| ready.body["status"] == "ready").await?;
        cluster.b.readyz_until("ready again", |ready| ready.body["status"] == "ready").await?;
    }
    over.send(true)?;
    let mut answered = Vec::new();
    for writer in writers {
        answered.push(writer.await?);
    }
    cluster.agree().await?;
    let snapshot = nodes[0].snapshot().await?;
    for (node, answered) in answered.into_iter().enumerate() {
        let there = snapshot["flags"][format!("node-{node}")]["variants"]["now"].as_u64().unwrap_or_default();
        ensure!(answered > 0 && there >= answered, "node {node} answered {answered}, there is {there}");
    }
    for api in &nodes {
        let report = api.get_root("/v1/audit/verify").await?.ok()?;
        ensure!(report["whole"] == true, "{report}");
    }
    Ok(())
}
