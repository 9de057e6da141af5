//! Gates of rollouts as a source.

use std::net::TcpListener;

use anyhow::{Context as _, ensure};
use ripcord_tests::{Outcome, SOON, World, eventually, flags, on_both_stores};
use serde_json::json;

use super::{firings, mode};
use crate::newest;

/// An address without a listener: a probe of it fails.
fn dead() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(format!("http://{}/healthz", listener.local_addr()?))
}

async fn a_gate_that_fails_kills_the_flag_of_its_rollout(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    mode(&admin, "automatic").await?;
    let trigger = json!({"name": "smoke", "source": {"gate": {"name": "smoke"}}, "action": {"kill": {}}});
    let made = admin.post("triggers", &trigger).await?.ok()?;
    ensure!(made["secret"].is_null() && made["hook"].is_null(), "a gate has no hook: {made}");
    let other = json!({"name": "other", "source": {"gate": {"name": "errors"}}, "action": {"kill": {}}});
    admin.post("triggers", &other).await?.ok()?;
    let plan = json!({"flag": "checkout", "variant": "on", "steps": [{"to": "10%", "hold": "1h"}], "no_gates": true,
            "gates": [{"name": "smoke", "probe": {"url": dead()?}, "on_fail": "hold"}]});
    let id = admin.post("rollouts", &plan).await?.ok()?["id"].as_str().context("an id")?.to_owned();
    eventually(SOON, "the flag is killed", || async {
        ensure!(admin.kills().await?.len() == 1, "not yet");
        Ok(())
    })
    .await?;
    let kill = admin.get("kills").await?.ok()?["items"][0].clone();
    ensure!(
        kill["scope"] == json!({"flag": "checkout"}) && kill["actor"]["name"] == "trigger smoke",
        "{kill}"
    );
    ensure!(kill["reason"].is_string(), "{kill}");
    let rollout = eventually(SOON, "the kill ends the rollout", || async {
        let rollout = newest(&world).await?;
        ensure!(rollout["state"] == "aborted", "{} {}", rollout["state"], rollout["reason"]);
        Ok(rollout)
    })
    .await?;
    ensure!(rollout["id"] == id && rollout["reason"].is_string(), "{rollout}");
    let fired = eventually(SOON, "it is recorded", || async {
        let fired = firings(&admin).await?;
        ensure!(fired.len() == 1, "{fired:?}");
        Ok(fired[0].clone())
    })
    .await?;
    ensure!(
        fired["trigger"] == "smoke" && fired["state"] == "acted" && fired["labels"]["rollout"] == id,
        "{fired}"
    );
    Ok(())
}

on_both_stores!(a_gate_that_fails_kills_the_flag_of_its_rollout);
