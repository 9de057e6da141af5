use anyhow::{Context as _, ensure};
use ripcord_tests::stream::{Reader, WebSocket};
use ripcord_tests::{Cluster, Outcome, SOON, Server, World, eventually, flags};
use serde_json::json;

use super::{id, leaders, until};

/// The leader, and the other node.
async fn leader_and_other(cluster: Cluster) -> anyhow::Result<(Server, Server, ripcord_tests::Redis)> {
    let Cluster { a, b, redis } = cluster;
    let leader = leaders(&a).await?.last().context("a node leads")?.clone();
    let name = a.readyz().await?.body["node"].as_str().unwrap_or_default().to_owned();
    Ok(if name == leader { (a, b, redis) } else { (b, a, redis) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_staged_rollback_continues_when_the_leader_is_killed_between_two_steps() -> Outcome {
    let cluster = Cluster::start().await?;
    let admin = cluster.a.admin();
    admin.put_flag("checkout", &flags::rollout(0)).await?.ok()?;
    admin.put_flag("checkout", &flags::rollout(100)).await?.ok()?;
    cluster.agree().await?;
    let body = json!({"to": 1, "flags": ["checkout"], "steps": [50, 10], "every_seconds": 3, "reason": "a test"});
    let answer = admin.post("rollbacks", &body).await?;
    ensure!(answer.status == 201, "{:#}", answer.body);
    let rollback = id(&answer.body)?;
    eventually(SOON, "a node leads", || async {
        ensure!(!leaders(&cluster.a).await?.is_empty());
        Ok(())
    })
    .await?;
    let (mut dead, alive, _redis) = leader_and_other(cluster).await?;
    dead.kill();
    let admin = alive.admin();
    let confirmed = until(&admin, &rollback, "confirmed").await?;
    ensure!(
        confirmed["ladder"]["done"] == 3 && confirmed["revision"] == 5,
        "no step is made twice: {confirmed:#}"
    );
    ensure!(leaders(&alive).await?.len() == 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_node_confirms_when_the_leader_is_killed_between_commit_and_confirmation() -> Outcome {
    let cluster = Cluster::start().await?;
    let admin = cluster.a.admin();
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    cluster.agree().await?;
    // The leader must be known before the applications choose their nodes.
    let first = admin
        .post("rollbacks?wait=10s", &json!({"to": 1, "flags": ["checkout"], "reason": "to elect a leader"}))
        .await?;
    ensure!(first.body["state"] == "confirmed", "{:#}", first.body);
    let (mut dead, alive, _redis) = leader_and_other(cluster).await?;
    let admin = alive.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let sdk = admin.role("sdk").await?;
    let mut slow = WebSocket::connect(&sdk, "slow-1").await?;
    let snapshot = slow.expect("snapshot", SOON).await?;
    slow.ack(&snapshot).await?;
    admin.connected(1).await?;
    let answer = admin.post("rollbacks", &json!({"to": 1, "flags": ["checkout"], "reason": "a test"})).await?;
    ensure!(answer.body["state"] == "committed", "{:#}", answer.body);
    dead.kill();
    let delta = slow.expect("delta", SOON).await?;
    slow.ack(&delta).await?;
    let confirmed = until(&admin, &id(&answer.body)?, "confirmed").await?;
    ensure!(confirmed["confirmation"]["applied"]["confirmed"] == 1, "{confirmed:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_and_restarted_continues_from_the_record() -> Outcome {
    let mut world = World::embedded().await?;
    let admin = world.admin();
    admin.put_flag("checkout", &flags::rollout(0)).await?.ok()?;
    admin.put_flag("checkout", &flags::rollout(100)).await?.ok()?;
    let body = json!({"to": 1, "flags": ["checkout"], "steps": [50, 10], "every_seconds": 2, "reason": "a test"});
    let rollback = id(&admin.post("rollbacks", &body).await?.body)?;
    world.kill();
    world.restart().await?;
    let confirmed = until(&world.admin(), &rollback, "confirmed").await?;
    ensure!(confirmed["ladder"]["done"] == 3 && confirmed["revision"] == 5, "{confirmed:#}");
    Ok(())
}
