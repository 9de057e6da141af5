//! The leader may die at any moment: no step is taken twice, and none is skipped.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use ripcord_tests::process::Signal;
use ripcord_tests::stream::{Reader as _, WebSocket};
use ripcord_tests::waiting::until;
use ripcord_tests::{Cluster, Outcome, SOON, Server, Setup, World, eventually, flags, on_both_stores};
use serde_json::{Value, json};

use super::newest;

/// Seconds of a window of counts.
const WINDOW: i64 = 5;

const STEPS: [&str; 6] = ["1%", "5%", "10%", "20%", "50%", "100%"];

/// What is seen before the leader is killed.
#[derive(Debug, Clone, Copy)]
enum Point {
    /// A step is in force, and the next one is not due.
    Held,
    /// The next step is due: it is about to be decided, made durable and published. Where the kill lands is left to chance, and
    /// what must hold holds wherever it lands.
    Due,
    /// The next step has reached a reader of the stream.
    Published,
    /// The next step stands in the rollout's record.
    Recorded,
}

const POINTS: [Point; 12] = [
    Point::Held,
    Point::Due,
    Point::Published,
    Point::Recorded,
    Point::Due,
    Point::Published,
    Point::Due,
    Point::Recorded,
    Point::Due,
    Point::Held,
    Point::Due,
    Point::Published,
];

/// When the next step is due.
fn due(rollout: &Value) -> anyhow::Result<jiff::Timestamp> {
    let entered: jiff::Timestamp = rollout["entered"].as_str().context("it has begun no step")?.parse()?;
    Ok(entered + Duration::from_secs(1))
}

/// Waits until a point of the step after `rollout`'s.
async fn reach(point: Point, server: &Server, rollout: &Value, stream: &mut WebSocket) -> Outcome {
    match point {
        Point::Held => {}
        Point::Due => until(due(rollout)?).await,
        Point::Published => drop(stream.expect("delta", SOON).await?),
        Point::Recorded => {
            eventually(SOON, "the next step is in force", || async {
                let step = &newest(server).await?["step"];
                ensure!(step.as_u64() > rollout["step"].as_u64(), "still at {step}");
                Ok(())
            })
            .await?;
        }
    }
    Ok(())
}

async fn start_long(server: &Server, steps: usize) -> anyhow::Result<Value> {
    server.admin().put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    let steps: Vec<Value> = (1..=steps).map(|to| json!({"to": format!("{to}%"), "hold": "1s"})).collect();
    server
        .admin()
        .post("rollouts", &json!({"flag": "checkout", "variant": "on", "steps": steps, "no_gates": true}))
        .await?
        .ok()
}

async fn start(server: &Server) -> anyhow::Result<Value> {
    server.admin().put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    let steps: Vec<Value> = STEPS.iter().map(|to| json!({"to": to, "hold": "1s"})).collect();
    server
        .admin()
        .post("rollouts", &json!({"flag": "checkout", "variant": "on", "steps": steps, "no_gates": true}))
        .await?
        .ok()
}

/// Each step once, in order, and nothing else that made a revision since the flag.
async fn check_steps(server: &Server) -> anyhow::Result<()> {
    check_all_steps(server, STEPS.len()).await
}

async fn check_all_steps(server: &Server, steps: usize) -> anyhow::Result<()> {
    let rollout = newest(server).await?;
    let past: Vec<u64> = rollout["past"]
        .as_array()
        .context("past")?
        .iter()
        .filter_map(|past| past["step"].as_u64())
        .collect();
    ensure!(past == (1..=steps as u64).collect::<Vec<_>>(), "{past:?}");
    let revision = server.admin().revision().await?;
    ensure!(revision == steps as u64 + 1, "the flag and {steps} steps do not make {revision} revisions");
    Ok(())
}

async fn a_leader_that_is_killed_at_every_point_of_a_step_takes_each_step_once(mut world: World) -> Outcome {
    let steps = POINTS.len() + 4;
    start_long(&world, steps).await?;
    let mut killed = Vec::new();
    let sdk = world.admin().role("sdk").await?;
    for point in POINTS {
        let mut stream = WebSocket::connect(&sdk, "raw").await?;
        stream.expect("snapshot", SOON).await?;
        let rollout = eventually(SOON, "a step is in force that has not run out", || async {
            let rollout = newest(&world).await?;
            ensure!(due(&rollout)? > jiff::Timestamp::now(), "not yet");
            Ok(rollout)
        })
        .await?;
        reach(point, &world, &rollout, &mut stream).await?;
        world.kill();
        world.restart().await?;
        killed.push((
            rollout["step"].as_u64().unwrap_or_default(),
            newest(&world).await?["step"].as_u64().unwrap_or_default(),
        ));
    }
    println!("the step before each kill, and the one that the next process found: {killed:?}");
    ensure!(
        killed.iter().all(|(before, found)| before <= found),
        "a step that was taken is gone: {killed:?}"
    );
    eventually(SOON * 3, "it is completed", || async {
        let rollout = newest(&world).await?;
        ensure!(rollout["state"] == "completed", "{} {}", rollout["state"], rollout["reason"]);
        Ok(())
    })
    .await?;
    check_all_steps(&world, steps).await?;
    Ok(())
}

on_both_stores!(a_leader_that_is_killed_at_every_point_of_a_step_takes_each_step_once);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_both_believe_to_lead_take_each_step_once() -> Outcome {
    let cluster = Cluster::start().await?;
    start_long(&cluster.a, 14).await?;
    let step_of = async |server: &Server| anyhow::Ok(newest(server).await?["step"].as_u64().unwrap_or_default());
    for (frozen, other) in [(&cluster.a, &cluster.b), (&cluster.b, &cluster.a), (&cluster.a, &cluster.b)] {
        // A node is frozen, replaced if it was the leader, and thawed with its old fencing token.
        let before = step_of(other).await?;
        frozen.process()?.signal(Signal::Stop)?;
        let moved = eventually(SOON * 2, "the other node continues", || async {
            // One step more may have been the frozen one's last.
            let rollout = newest(other).await?;
            let step = rollout["step"].as_u64().unwrap_or_default();
            ensure!(step > before + 1 || rollout["state"] == "completed", "still at {before}");
            Ok(())
        })
        .await;
        frozen.process()?.signal(Signal::Cont)?;
        moved?;
    }
    eventually(SOON * 3, "it is completed", || async {
        let rollout = newest(&cluster.b).await?;
        ensure!(rollout["state"] == "completed", "{} {}", rollout["state"], rollout["reason"]);
        Ok(())
    })
    .await?;
    // Whichever node took a step: each was taken once, in order.
    check_all_steps(&cluster.b, 14).await
}

/// Samples that were counted before a crash count after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_gate_has_counted_survives_a_crash() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    let gate = json!({"name": "errors", "outcome": "error", "worse_by": "1%", "min_samples": 1_000_000, "on_fail": "hold", "traffic": "real"});
    let plan = json!({"flag": "checkout", "variant": "on", "steps": [{"to": "10%", "hold": "1h"}], "gates": [gate]});
    admin.post("rollouts", &plan).await?.ok()?;
    let evaluations = async |server: &Server| {
        let figures = newest(server).await?["gates"][0]["figures"].clone();
        let of = |arm: &str| figures[arm]["served"].as_u64().unwrap_or_default();
        anyhow::Ok((of("treatment"), of("control"), figures["aside"]["served"].as_u64().unwrap_or_default()))
    };
    eventually(SOON, "the gate is read", || async {
        ensure!(newest(&server).await?["gates"][0]["figures"].is_object(), "not yet");
        Ok(())
    })
    .await?;
    let sdk = admin.role("sdk").await?;
    // Counts are kept by windows of five seconds; those of the window in which a step begins count as before it.
    let entered: jiff::Timestamp = newest(&server).await?["entered"].as_str().context("a step")?.parse()?;
    until(jiff::Timestamp::from_second((entered.as_second() / WINDOW + 1) * WINDOW)?).await;
    let count = |variant: &str, traffic: &str, times: u64| json!({"flag": "checkout", "variant": variant, "traffic": traffic, "evaluations": times});
    let counts = [count("on", "real", 100), count("off", "real", 900), count("on", "synthetic", 7)];
    let reported = sdk
        .request(reqwest::Method::POST, "/v1/outcomes")
        .json(&json!({"instance_id": "i", "batch": 1, "counts": counts}));
    ensure!(ripcord_tests::api::read(reported).await?.status == 202);
    eventually(SOON, "they are counted", || async {
        let counted = evaluations(&server).await?;
        ensure!(counted == (100, 900, 7), "{counted:?}");
        Ok(())
    })
    .await?;
    // The window ends and is written to disk; the record of the rollout is as old as its step.
    eventually(SOON, "the window is on disk", || async {
        let kept = std::fs::read_dir(server.data().join("outcomes"))?.map(|file| std::fs::read_to_string(file?.path()));
        let kept = kept.collect::<Result<String, _>>()?;
        ensure!(kept.contains("\"checkout\""), "what is kept: {kept:?}");
        Ok(())
    })
    .await?;
    server.kill();
    server.restart().await?;
    eventually(SOON, "they are counted again", || async {
        let counted = evaluations(&server).await?;
        ensure!(counted == (100, 900, 7), "{counted:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_continues_when_the_leader_dies() -> Outcome {
    let mut cluster = Cluster::start().await?;
    start(&cluster.a).await?;
    eventually(SOON, "the first step is taken", || async {
        ensure!(newest(&cluster.b).await?["step"] == 1, "not yet");
        Ok(())
    })
    .await?;
    // The leader is the node that took the first step: the second revision, after the flag's own.
    let log = cluster.b.admin().log().await?;
    let node = log.iter().find(|entry| entry["revision"] == 2).context("step 1")?;
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
