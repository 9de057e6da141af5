//! Several nodes, and a store that is away.

use anyhow::{Context as _, ensure};
use ripcord_tests::{Cluster, Outcome, SOON, World, eventually, flags};
use serde_json::json;

use super::{alert, firing, firings, make, mode, released, send, sent};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_are_told_at_once_act_once() -> Outcome {
    let cluster = Cluster::start().await?;
    let admin = released(&cluster.a).await?;
    mode(&admin, "automatic").await?;
    let more = json!({"cooldown": "0s", "max_per_hour": 100});
    let made = make(&admin, &json!({"rollback": {"scope": "open_release"}}), &more).await?;
    let kill = make(&admin, &json!({"kill": {"flags": ["checkout"]}}), &json!({"name": "killer", "cooldown": "0s"})).await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    eventually(SOON, "the other node knows the triggers", || async {
        ensure!(
            b.get("triggers").await?.ok()?["items"].as_array().is_some_and(|items| items.len() == 2),
            "not yet"
        );
        Ok(())
    })
    .await?;
    for round in 0..5 {
        let body = alert("firing", &format!("round-{round}"), 1, None);
        let (one, other) = tokio::join!(send(&a, &made, &body), send(&b, &made, &body));
        let mut outcomes = vec![one?.ok()?["outcome"].clone(), other?.ok()?["outcome"].clone()];
        outcomes.sort_by_key(ToString::to_string);
        ensure!(outcomes == [json!("fired"), json!("repeat")], "{outcomes:?}");
        let (one, other) = tokio::join!(send(&a, &kill, &body), send(&b, &kill, &body));
        let (one, other) = (one?.ok()?, other?.ok()?);
        ensure!(a.kills().await?.len() == 1, "one kill, whichever node was called: {one} {other}");
    }
    let rollbacks = a.get("rollbacks").await?.ok()?;
    // The first incident has taken everything back; those that follow find nothing to roll back.
    ensure!(rollbacks["items"].as_array().is_some_and(|items| items.len() == 1), "{rollbacks}");
    let firings = firings(&a).await?;
    ensure!(firings.len() == 10, "one record for each incident: {firings:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_store_away_what_was_to_go_back_is_killed_until_it_is_there_again() -> Outcome {
    let mut world = World::redis().await?;
    let admin = released(&world).await?;
    mode(&admin, "automatic").await?;
    let made = make(&admin, &json!({"rollback": {"scope": "open_release"}}), &json!({})).await?;
    world.mirrored().await?;
    world.redis.as_mut().context("redis")?.kill();
    let came = sent(&admin, &made, &alert("firing", "a", 1, None), "fired").await?;
    ensure!(
        came["provisional"] == true && came["rollback"].is_null() && came["kills"][0].is_string(),
        "{came}"
    );
    ensure!(admin.value("checkout").await? == false, "the same flag serves its safe variant");
    sent(&admin, &made, &alert("firing", "a", 1, None), "repeat").await?;
    world.redis.as_mut().context("redis")?.restart().await?;
    let fired = eventually(SOON, "it is recorded", || async { firing(&admin, &came["firing"]).await }).await?;
    ensure!(fired["state"] == "killed" && fired["effects"]["provisional"] == true, "{fired}");
    ensure!(fired["effects"]["kills"] == came["kills"], "{fired}");
    eventually(SOON, "the kill is merged", || async {
        let kill = admin.get(&format!("kills/{}", came["kills"][0].as_str().unwrap_or_default())).await?.ok()?;
        ensure!(kill["provisional"] != true && kill["revision"].is_u64(), "{kill}");
        ensure!(kill["actor"]["name"] == "trigger error-rate", "{kill}");
        Ok(())
    })
    .await?;
    ensure!(admin.kills().await?.len() == 1 && firings(&admin).await?.len() == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_store_frozen_a_kill_takes_effect_all_the_same() -> Outcome {
    let world = World::redis().await?;
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    mode(&admin, "automatic").await?;
    let made = make(&admin, &json!({"kill": {"flags": ["checkout"]}}), &json!({})).await?;
    let redis = world.redis.as_ref().context("redis")?;
    redis.pause()?;
    let came = sent(&admin, &made, &alert("firing", "a", 1, None), "fired").await?;
    ensure!(came["provisional"] == true && admin.value("checkout").await? == false, "{came}");
    redis.resume()?;
    let fired = eventually(SOON, "it is recorded", || async { firing(&admin, &came["firing"]).await }).await?;
    ensure!(fired["state"] == "acted" && fired["effects"]["provisional"] == true, "{fired}");
    Ok(())
}
