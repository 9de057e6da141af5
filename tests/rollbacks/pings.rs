use anyhow::ensure;
use ripcord_tests::stream::{Reader, Sse, WebSocket};
use ripcord_tests::{Outcome, SOON, World, eventually, on_both_stores};
use serde_json::{Value, json};

use super::{policy, shop};

async fn a_ping_reaches_every_application_and_changes_no_answer(world: World) -> Outcome {
    let (admin, apps) = shop(&world).await?;
    let before = admin.snapshot().await?;
    let oncall = admin.role("oncall").await?;
    let ping = oncall.post("pings?wait=10s", &Value::Null).await?;
    ensure!(
        ping.status == 201 && ping.body["connected"] == 3 && ping.body["confirmed"] == 3,
        "{:#}",
        ping.body
    );
    ensure!(
        ping.body["revision"] == 3 && ping.body["p99_ms"].as_f64().is_some_and(|ms| ms > 0.0),
        "{:#}",
        ping.body
    );
    let after = admin.snapshot().await?;
    ensure!(after["hash"] == before["hash"] && after["revision"] == 3, "{after}");
    for app in &apps {
        app.serves("true").await?;
    }
    eventually(SOON, "it is kept and shown with the environment", || async {
        let kept = admin.pages("pings").await?;
        ensure!(kept.len() == 1 && kept[0]["id"] == ping.body["id"], "{kept:#?}");
        let environment = admin.get_root("/v1/environments/production").await?.ok()?;
        ensure!(environment["last_ping"]["confirmed"] == 3, "{environment:#}");
        Ok(())
    })
    .await?;
    admin.role("pipeline").await?.post("pings", &Value::Null).await?.problem(403, "FORBIDDEN")?;
    Ok(())
}

async fn it_is_an_empty_delta_on_either_transport_and_lifts_no_kill(world: World) -> Outcome {
    let (admin, _apps) = shop(&world).await?;
    let kill = admin.kill_flag("checkout").await?;
    let sdk = admin.role("sdk").await?;
    let mut socket = WebSocket::connect(&sdk, "raw-1").await?;
    socket.expect("snapshot", SOON).await?;
    let mut events = Sse::connect(&sdk, "raw-2", "raw-2-id").await?;
    events.expect("snapshot", SOON).await?;
    admin.connected(5).await?;
    admin.post("pings", &Value::Null).await?.ok()?;
    for delta in [socket.expect("delta", SOON).await?, events.expect("delta", SOON).await?] {
        let changed = delta.data["changed"]
            .as_object()
            .is_none_or(|changed| changed.values().all(|part| part.as_array().is_none_or(Vec::is_empty)));
        ensure!(delta.data["revision"] == 4 && changed, "{:#}", delta.data);
    }
    ensure!(admin.kills().await? == [kill]);
    Ok(())
}

async fn a_policy_has_the_leader_send_pings(world: World) -> Outcome {
    let (admin, _apps) = shop(&world).await?;
    policy(&admin, &json!({"ping_every_seconds": 10})).await?;
    eventually(SOON, "two pings are kept", || async {
        let kept = admin.pages("pings").await?;
        ensure!(kept.len() >= 2 && kept[0]["confirmed"] == 3, "{kept:#?}");
        Ok(())
    })
    .await?;
    Ok(())
}

on_both_stores!(
    a_ping_reaches_every_application_and_changes_no_answer,
    it_is_an_empty_delta_on_either_transport_and_lifts_no_kill,
    a_policy_has_the_leader_send_pings
);
