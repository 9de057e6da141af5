//! Promise 10: for every revision the server can say who has confirmed it, how fast, and who is missing.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use ripcord_tests::app::Process;
use ripcord_tests::process::Signal;
use ripcord_tests::stream::{Reader, Sse, WebSocket};
use ripcord_tests::{Api, App, Cluster, Outcome, SOON, World, eventually, flags, on_both_stores};
use serde_json::{Value, json};

async fn confirmation(api: &Api, revision: u64) -> anyhow::Result<Value> {
    api.get(&format!("confirmations/{revision}")).await?.ok()
}

fn missing(confirmation: &Value) -> Vec<&str> {
    let missing = confirmation["applied"]["missing"].as_array().into_iter().flatten();
    missing.filter_map(|missing| missing["name"].as_str()).collect()
}

/// Kills and waits; the confirmation of the answer. A kill is provisional if the disk takes longer than a kill may take: then that of
/// its revision, once it is merged.
async fn kill_and_wait(api: &Api, wait: &str) -> anyhow::Result<Value> {
    let body = json!({"scope": {"flag": "checkout"}, "reason": "a test"});
    let answer = api.post(&format!("kills?wait={wait}"), &body).await?.ok()?;
    if answer["provisional"] != true {
        return Ok(answer["confirmation"].clone());
    }
    let path = format!("kills/{}", ripcord_tests::api::id_of(&answer)?);
    let revision = eventually(SOON, "the kill is merged", || async {
        let kill = api.get(&path).await?.ok()?;
        kill["revision"].as_u64().with_context(|| format!("not yet: {kill}"))
    })
    .await?;
    api.get(&format!("confirmations/{revision}?wait={wait}")).await?.ok()
}

async fn three_applications(world: &World) -> anyhow::Result<(Api, Vec<Process>)> {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let sdk = admin.role("sdk").await?;
    let mut apps = Vec::new();
    for name in ["shop-1", "shop-2", "shop-3"] {
        let app = Process::start(&sdk, name, "checkout").await?;
        app.serves("true").await?;
        apps.push(app);
    }
    admin.connected(3).await?;
    Ok((admin, apps))
}

async fn a_kill_is_confirmed_by_every_application_with_times(world: World) -> Outcome {
    let (admin, apps) = three_applications(&world).await?;
    let confirmed = kill_and_wait(&admin, "5s").await?;
    ensure!(confirmed["complete"] == true && confirmed["revision"] == 2, "{confirmed}");
    let applied = &confirmed["applied"];
    ensure!(
        applied["connected"] == 3 && applied["confirmed"] == 3 && missing(&confirmed).is_empty(),
        "{confirmed}"
    );
    for figure in ["p50_ms", "p99_ms", "max_ms"] {
        ensure!(applied[figure].as_f64().is_some_and(|ms| ms >= 0.0), "{figure}: {confirmed}");
    }
    ensure!(applied["slowest"]["name"].as_str().is_some_and(|name| name.starts_with("shop-")), "{confirmed}");
    for app in &apps {
        app.serves("false").await?;
    }
    ensure!(confirmation(&admin, 2).await?["applied"]["confirmed"] == 3);
    Ok(())
}

async fn a_frozen_application_is_missing_by_name_until_it_thaws(world: World) -> Outcome {
    let (admin, apps) = three_applications(&world).await?;
    apps[1].signal(Signal::Stop)?;
    let confirmed = kill_and_wait(&admin, "500ms").await?;
    ensure!(confirmed["complete"] == false && missing(&confirmed) == ["shop-2"], "{confirmed}");
    ensure!(confirmed["applied"]["connected"] == 3 && confirmed["applied"]["confirmed"] == 2, "{confirmed}");
    apps[1].signal(Signal::Cont)?;
    eventually(SOON, "it confirms when it thaws", || async {
        let confirmed = confirmation(&admin, 2).await?;
        ensure!(confirmed["complete"] == true && confirmed["applied"]["confirmed"] == 3, "{confirmed}");
        Ok(())
    })
    .await?;
    Ok(())
}

async fn one_that_said_goodbye_leaves_the_denominator_and_one_that_was_lost_is_missing(world: World) -> Outcome {
    let (admin, mut apps) = three_applications(&world).await?;
    let polite = apps.remove(0);
    polite.end().await?;
    admin.connected(2).await?;
    apps[0].signal(Signal::Stop)?;
    let confirmed = kill_and_wait(&admin, "300ms").await?;
    ensure!(missing(&confirmed) == ["shop-2"] && confirmed["applied"]["connected"] == 2, "{confirmed}");
    drop(apps.remove(0));
    eventually(SOON, "the lost one is noticed", || async {
        let confirmed = confirmation(&admin, 2).await?;
        let lost = &confirmed["applied"]["missing"][0];
        ensure!(
            lost["name"] == "shop-2" && lost["lost"] == true && confirmed["applied"]["connected"] == 2,
            "{confirmed}"
        );
        Ok(())
    })
    .await?;
    Ok(())
}

async fn what_cannot_acknowledge_is_counted_as_sent_and_never_as_applied(world: World) -> Outcome {
    let admin = world.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let query = "sdk=mute/1.0&instance=mute&instance_id=mute-1&acknowledges=false";
    let mut mute = Sse::with(&sdk, query, None).await?;
    mute.expect("snapshot", SOON).await?;
    admin.connected(1).await?;
    let confirmed = kill_and_wait(&admin, "1s").await?;
    ensure!(confirmed["applied"]["connected"] == 0 && confirmed["sent"]["connected"] == 1, "{confirmed}");
    eventually(SOON, "it was sent", || async {
        let confirmed = confirmation(&admin, 2).await?;
        ensure!(confirmed["sent"]["confirmed"] == 1, "{confirmed}");
        Ok(())
    })
    .await?;
    Ok(())
}

async fn a_raw_client_is_confirmed_by_its_acknowledgement_over_either_transport(world: World) -> Outcome {
    let admin = world.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let mut ws = WebSocket::connect(&sdk, "raw-ws").await?;
    let first = ws.expect("snapshot", SOON).await?;
    ws.ack(&first).await?;
    let mut sse = Sse::connect(&sdk, "raw-sse", "raw-sse-1").await?;
    sse.expect("snapshot", SOON).await?;
    admin.connected(2).await?;
    let confirmed = kill_and_wait(&admin, "100ms").await?;
    let mut unconfirmed = missing(&confirmed);
    unconfirmed.sort_unstable();
    ensure!(unconfirmed == ["raw-sse", "raw-ws"], "{confirmed}");
    let over_ws = ws.expect("delta", SOON).await?;
    ensure!(over_ws.data["urgent"] == true, "{}", over_ws.data);
    ws.ack(&over_ws).await?;
    let over_sse = sse.expect("delta", SOON).await?;
    let ack = json!({"instance_id": "raw-sse-1", "epoch": over_sse.data["epoch"], "revision": over_sse.data["revision"], "hash": over_sse.data["hash"]});
    let path = "/v1/stream/ack?environment=production&instance_id=raw-sse-1";
    let answer = sdk.send(reqwest::Method::POST, path, Some(&ack), &[]).await?;
    ensure!(answer.status < 300, "{} {}", answer.status, answer.body);
    eventually(SOON, "both are confirmed", || async {
        let confirmed = confirmation(&admin, 2).await?;
        ensure!(confirmed["complete"] == true && confirmed["applied"]["confirmed"] == 2, "{confirmed}");
        Ok(())
    })
    .await?;
    Ok(())
}

async fn any_write_can_wait_for_its_confirmations(world: World) -> Outcome {
    let (admin, apps) = three_applications(&world).await?;
    let answer = admin.put("flags/checkout?reason=a+test&wait=5s", &flags::boolean("off")).await?.ok()?;
    ensure!(
        answer["confirmation"]["complete"] == true && answer["confirmation"]["applied"]["confirmed"] == 3,
        "{answer}"
    );
    drop(apps);
    Ok(())
}

async fn a_revision_that_was_never_made_has_no_confirmation(world: World) -> Outcome {
    let admin = world.admin();
    let answer = admin.get("confirmations/999").await?;
    ensure!(answer.status == 404, "{} {}", answer.status, answer.body);
    Ok(())
}

on_both_stores!(
    a_kill_is_confirmed_by_every_application_with_times,
    a_frozen_application_is_missing_by_name_until_it_thaws,
    one_that_said_goodbye_leaves_the_denominator_and_one_that_was_lost_is_missing,
    what_cannot_acknowledge_is_counted_as_sent_and_never_as_applied,
    a_raw_client_is_confirmed_by_its_acknowledgement_over_either_transport,
    any_write_can_wait_for_its_confirmations,
    a_revision_that_was_never_made_has_no_confirmation
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn confirmations_are_over_all_nodes_and_a_node_that_is_not_reached_is_named() -> Outcome {
    let mut cluster = Cluster::start().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    a.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let sdk = a.role("sdk").await?;
    cluster.agree().await?;
    let _on_a = App::start(&sdk, "on-a").await?;
    let _on_b = App::start(&sdk.at(b.url()), "on-b").await?;
    a.connected(1).await?;
    b.connected(1).await?;
    let confirmed = kill_and_wait(&a, "5s").await?;
    ensure!(confirmed["complete"] == true && confirmed["applied"]["confirmed"] == 2, "{confirmed}");
    ensure!(confirmed["nodes"].as_array().context("nodes")?.len() == 2, "{confirmed}");
    let from_b = confirmation(&b, 2).await?;
    ensure!(from_b["applied"]["confirmed"] == 2, "the other node knows less: {from_b}");
    cluster.b.process()?.signal(Signal::Stop)?;
    let mut edited = flags::boolean("on");
    edited["description"] = json!("again");
    let answer = a.put("flags/checkout?reason=a+test&wait=500ms", &edited);
    let confirmed = tokio::time::timeout(Duration::from_secs(10), answer).await??.ok()?["confirmation"].clone();
    ensure!(confirmed["complete"] == false, "{confirmed}");
    ensure!(confirmed["nodes_not_reached"].as_array().is_some_and(|nodes| nodes.len() == 1), "{confirmed}");
    cluster.b.kill();
    Ok(())
}
