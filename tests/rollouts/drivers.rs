//! Whoever drives may die at any moment: no step is taken twice, and none is skipped.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use ripcord_tests::{Cluster, Outcome, SOON, Server, eventually, flags, on_both_stores};
use serde_json::{Value, json};

use super::newest;

const STEPS: [&str; 6] = ["1%", "5%", "10%", "20%", "50%", "100%"];

async fn start(server: &Server) -> anyhow::Result<Value> {
    server.admin().put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    let steps: Vec<Value> = STEPS.iter().map(|to| json!({"to": to, "hold": "1s"})).collect();
    server
        .admin()
        .post("rollouts", &json!({"flag": "checkout", "variant": "on", "steps": steps, "unjudged": true}))
        .await?
        .ok()
}

/// Each step once, in order, and nothing else that made a revision since the flag.
async fn check_steps(server: &Server) -> anyhow::Result<()> {
    let rollout = newest(server).await?;
    let past: Vec<u64> = rollout["past"]
        .as_array()
        .context("past")?
        .iter()
        .filter_map(|past| past["step"].as_u64())
        .collect();
    ensure!(past == [1, 2, 3, 4, 5, 6], "{rollout}");
    let revision = server.admin().revision().await?;
    ensure!(revision == 7, "the flag and six steps make 7 revisions, not {revision}");
    Ok(())
}

on_both_stores! {
    async fn a_driver_that_is_killed_again_and_again_takes_each_step_once(world) {
        start(&world).await?;
        // Times that drift through the second between two steps, so that it dies before, within and after them.
        for delay in [930, 1_010, 980, 1_050, 890] {
            tokio::time::sleep(Duration::from_millis(delay)).await;
            world.kill();
            world.restart().await?;
        }
        eventually(SOON * 2, "it is completed", || async {
            let rollout = newest(&world).await?;
            ensure!(rollout["state"] == "completed", "{} {}", rollout["state"], rollout["reason"]);
            Ok(())
        }).await?;
        check_steps(&world).await?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_goes_on_when_the_driver_dies() -> Outcome {
    let mut cluster = Cluster::start().await?;
    start(&cluster.a).await?;
    eventually(SOON, "the first step is taken", || async {
        ensure!(newest(&cluster.b).await?["step"] == 1, "not yet");
        Ok(())
    })
    .await?;
    // Whichever drives: the one that took the first step.
    let log = cluster.b.admin().log().await?;
    let node = log
        .iter()
        .rev()
        .find(|entry| entry["reason"].as_str().is_some_and(|reason| reason.contains("step 1 of 6")))
        .context("step 1")?;
    let name = node["origin"]["node"].as_str().context("a node")?.to_owned();
    let of_a = cluster.a.readyz().await?.body["node"] == name;
    let survivor = if of_a {
        cluster.a.kill();
        &cluster.b
    } else {
        cluster.b.kill();
        &cluster.a
    };
    eventually(SOON * 3, "the other one completes it", || async {
        let rollout = newest(survivor).await?;
        ensure!(rollout["state"] == "completed", "{} {}", rollout["state"], rollout["reason"]);
        Ok(())
    })
    .await?;
    check_steps(survivor).await
}
