//! States to go back to: taken, vouched for, doubted, and vouched for by the environment itself, on every node.

use std::time::Duration;

use anyhow::ensure;
use ripcord_tests::waiting::throughout;
use ripcord_tests::{App, Cluster, Outcome, SOON, Server, World, eventually, on_both_stores};
use serde_json::{Value, json};

use super::{ripcord, ripcord_as};

async fn flag(server: &Server, percent: &str) -> Outcome {
    let line = ["flags", "set", "checkout", "--boolean", "--percent", percent, "--reason", "a test"];
    ripcord(server, &line).await?.expect(0)?;
    Ok(())
}

async fn good(server: &Server) -> anyhow::Result<Value> {
    ripcord(server, &["checkpoint", "show", "last-known-good", "--json"]).await?.expect(0)?.json()
}

async fn a_state_is_vouched_for_read_back_whole_and_doubted(mut world: World) -> Outcome {
    let none = ripcord(&world, &["checkpoint", "show", "last-known-good", "--json"]).await?.expect(3)?;
    none.problem("NO_KNOWN_GOOD")?;
    flag(&world, "10").await?;
    ripcord(&world, &["checkpoint", "create", "quiet", "--note", "the last quiet evening"])
        .await?
        .expect(0)?;
    let line = [
        "checkpoint",
        "vouch",
        "quiet",
        "--evidence",
        "an hour at full traffic",
        "--figure",
        "error_rate=0.002",
    ];
    ripcord(&world, &line).await?.expect(0)?.names(&["last-known-good"])?;
    flag(&world, "50").await?;
    let shown = ripcord(&world, &["checkpoint", "show", "last-known-good"]).await?.expect(0)?;
    shown.names(&["quiet", "an hour at full traffic", "0.002"])?;
    let whole = ripcord(&world, &["checkpoint", "show", "quiet", "--state", "--json"])
        .await?
        .expect(0)?
        .json()?;
    ensure!(whole["proven"] == true && whole["moved"]["flags"] == 1, "{whole}");
    ensure!(
        whole["state"]["flags"]["checkout"]["rules"][0]["serve"]["split"][0]["weight"] == "10%",
        "{whole}"
    );
    world.kill();
    world.restart().await?;
    ensure!(good(&world).await?["name"] == "quiet", "a checkpoint did not survive kill -9");
    let oncall = world.admin().role("oncall").await?;
    let viewer = world.admin().role("viewer").await?;
    ripcord_as(&world, viewer.key(), &["checkpoint", "doubt", "quiet"]).await?.expect(3)?;
    ripcord_as(
        &world,
        oncall.key(),
        &["checkpoint", "doubt", "last-known-good", "--reason", "orders were lost"],
    )
    .await?
    .expect(0)?;
    ripcord(&world, &["checkpoint", "show", "last-known-good"]).await?.expect(3)?;
    let quiet = ripcord(&world, &["checkpoint", "show", "quiet", "--json"]).await?.expect(0)?.json()?;
    ensure!(quiet["last_known_good"] == false && quiet["standing"] == "doubted", "{quiet}");
    ripcord(&world, &["audit", "verify"]).await?.expect(0)?;
    Ok(())
}

/// The environment vouches for itself after a second, if its probe passes: one that expects this status of the server's health.
async fn vouches(server: &Server, expect: u16) -> Outcome {
    let checks = json!([{"name": "well", "url": format!("{}/healthz", server.url()), "expect": expect}]);
    let policy = json!({"vouch_after_seconds": 1, "checks": checks});
    server.admin().put("policy", &policy).await?.ok().map(drop)
}

/// An application that confirms whatever comes.
async fn app(server: &Server) -> anyhow::Result<App> {
    App::start(&server.admin().role("sdk").await?, "shop").await
}

async fn an_environment_vouches_for_what_has_soaked_and_not_while_something_is_killed(world: World) -> Outcome {
    flag(&world, "10").await?;
    ripcord(&world, &["kill", "checkout", "--reason", "a test"]).await?.expect(0)?;
    let _app = app(&world).await?;
    vouches(&world, 200).await?;
    let kills = ripcord(&world, &["kill", "list", "--json"]).await?.expect(0)?.json()?;
    let id = kills["items"][0]["id"].as_str().unwrap_or_default().to_owned();
    ripcord(&world, &["checkpoint", "show", "last-known-good"]).await?.expect(3)?;
    ripcord(&world, &["restore", &id, "--reason", "fixed"]).await?.expect(0)?;
    let vouched = eventually(SOON, "the environment vouches for itself", || good(&world)).await?;
    ensure!(vouched["name"] == "auto-3", "{vouched}");
    let judged = &vouched["judgements"][0];
    ensure!(judged["figures"]["soaked_seconds"].as_u64().is_some_and(|soaked| soaked >= 1), "{judged}");
    ensure!(
        judged["figures"]["checks_passed"] == 1 && judged["figures"]["applications_confirmed"] == 1,
        "{judged}"
    );
    ensure!(judged["by"]["key"].is_null(), "no person vouched: {judged}");
    ripcord(&world, &["env", "show"]).await?.expect(0)?.names(&["auto-3"])?;
    ripcord(&world, &["doctor"]).await?.expect(0)?.names(&["auto-3"])?;
    ripcord(&world, &["checkpoint", "doubt", "auto-3", "--reason", "a person knows better"])
        .await?
        .expect(0)?;
    flag(&world, "20").await?;
    let vouched = eventually(SOON, "the environment vouches for the next state", || good(&world)).await?;
    ensure!(vouched["name"] == "auto-4", "what a person doubted was vouched for again: {vouched}");
    Ok(())
}

async fn without_evidence_nothing_is_vouched_for(world: World) -> Outcome {
    let admin = world.admin();
    flag(&world, "10").await?;
    // Nobody has confirmed it.
    vouches(&world, 200).await?;
    let stays = async |why: &str| {
        let none = || async {
            let good = admin.get("checkpoints/last-known-good").await?;
            ensure!(good.status == 409, "{why}: {}", good.body);
            Ok(())
        };
        throughout(Duration::from_secs(3), why, none).await
    };
    stays("no application is connected").await?;
    // A release is open, as it would be while a bad one is live.
    admin.post("releases", &json!({"name": "web-12"})).await?.ok()?;
    let _app = app(&world).await?;
    flag(&world, "100").await?;
    stays("a release is open").await?;
    // No probe, and nothing to compare outcomes with.
    admin.put("policy", &json!({"vouch_after_seconds": 1})).await?.ok()?;
    admin.post("releases/web-12/finish", &json!({})).await?.ok()?;
    stays("nothing judges it").await?;
    vouches(&world, 418).await?;
    stays("the probe fails").await?;
    let plan = json!({"flag": "checkout", "variant": "on", "steps": [{"to": "50%", "hold": "1h"}], "no_gates": true});
    flag(&world, "10").await?;
    let rollout = admin.post("rollouts", &plan).await?.ok()?;
    vouches(&world, 200).await?;
    stays("a rollout is live").await?;
    let abort = format!("rollouts/{}/abort", rollout["id"].as_str().unwrap_or_default());
    admin.post(&abort, &json!({"reason": "a test"})).await?.ok()?;
    eventually(SOON, "with all of it, the environment vouches", || good(&world)).await?;
    Ok(())
}

on_both_stores!(
    a_state_is_vouched_for_read_back_whole_and_doubted,
    without_evidence_nothing_is_vouched_for,
    an_environment_vouches_for_what_has_soaked_and_not_while_something_is_killed
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_is_known_on_every_node_and_one_of_them_vouches() -> Outcome {
    let mut cluster = Cluster::start().await?;
    flag(&cluster.a, "10").await?;
    cluster.agree().await?;
    ripcord(&cluster.a, &["checkpoint", "create", "quiet"]).await?.expect(0)?;
    eventually(SOON, "the other node knows the checkpoint", || async {
        ripcord(&cluster.b, &["checkpoint", "show", "quiet"]).await?.expect(0)?;
        Ok(())
    })
    .await?;
    ripcord(&cluster.b, &["checkpoint", "vouch", "quiet", "--evidence", "seen on b"])
        .await?
        .expect(0)?;
    let seen = eventually(SOON, "the first node knows that it is good", || good(&cluster.a)).await?;
    ensure!(seen["name"] == "quiet" && seen["proven"] == true, "{seen}");
    let (_on_a, _on_b) = (app(&cluster.a).await?, app(&cluster.b).await?);
    // The probe must pass on whichever node leads, also when the other one is gone.
    vouches(&cluster.b, 200).await?;
    flag(&cluster.a, "20").await?;
    eventually(SOON, "one node vouches", || async {
        let found = good(&cluster.b).await?;
        ensure!(found["name"] == "auto-2", "{found}");
        Ok(())
    })
    .await?;
    let names = ripcord(&cluster.b, &["checkpoint", "list", "--json"]).await?.expect(0)?.json()?;
    ensure!(names["items"].as_array().is_some_and(|items| items.len() == 2), "vouched for twice: {names}");
    // Whichever node was the leader, the other one takes over.
    cluster.a.kill();
    flag(&cluster.b, "30").await?;
    eventually(SOON, "the node that is left vouches", || async {
        let found = good(&cluster.b).await?;
        ensure!(found["name"] == "auto-3", "{found}");
        Ok(())
    })
    .await?;
    Ok(())
}
