//! `/v1/stream` over WebSocket: hello, snapshot, delta, ack, overlay, heartbeat, resync, goodbye.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use ripcord_tests::process::Signal;
use ripcord_tests::stream::{Reader, WebSocket, hello, hello_having};
use ripcord_tests::{Outcome, Replica, SOON, Server, Setup, World, eventually, flags, on_both_stores};
use serde_json::json;

/// Heartbeats come well within the silence that an SDK allows.
const HEARTBEAT_WITHIN: Duration = Duration::from_secs(40);

async fn with_a_flag(world: &World) -> anyhow::Result<(ripcord_tests::Api, ripcord_tests::Api)> {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let sdk = admin.role("sdk").await?;
    Ok((admin, sdk))
}

async fn a_hello_is_answered_with_everything(world: World) -> Outcome {
    let (admin, sdk) = with_a_flag(&world).await?;
    let mut stream = WebSocket::connect(&sdk, "raw").await?;
    let snapshot = stream.expect("snapshot", SOON).await?.data;
    for member in ["environment", "epoch", "revision", "hash", "flags", "overlay"] {
        ensure!(!snapshot[member].is_null(), "no {member}: {snapshot}");
    }
    ensure!(
        snapshot["environment"] == "production" && snapshot["epoch"] == 1 && snapshot["revision"] == 1,
        "{snapshot}"
    );
    ensure!(snapshot["flags"]["checkout"] == admin.flag("checkout").await?["flag"], "{snapshot}");
    ensure!(snapshot["hash"].as_str().is_some_and(|hash| hash.len() == 64), "{snapshot}");
    Ok(())
}

async fn an_empty_environment_streams_an_empty_snapshot(world: World) -> Outcome {
    let sdk = world.admin().role("sdk").await?;
    let snapshot = WebSocket::connect(&sdk, "raw").await?.expect("snapshot", SOON).await?.data;
    ensure!(snapshot["revision"] == 0 && snapshot["flags"] == json!({}), "{snapshot}");
    Ok(())
}

async fn a_change_comes_as_a_delta_with_where_it_leads(world: World) -> Outcome {
    let (admin, sdk) = with_a_flag(&world).await?;
    let mut stream = WebSocket::connect(&sdk, "raw").await?;
    stream.expect("snapshot", SOON).await?;
    admin.put_flag("second", &flags::boolean("off")).await?.ok()?;
    let delta = stream.expect("delta", SOON).await?.data;
    ensure!(
        delta["from"] == 1 && delta["revision"] == 2 && delta["epoch"] == 1 && delta["urgent"] == false,
        "{delta}"
    );
    ensure!(
        delta["changed"]["flags"]
            .as_object()
            .is_some_and(|flags| flags.len() == 1 && flags.contains_key("second")),
        "{delta}"
    );
    ensure!(delta["hash"] == admin.snapshot().await?["hash"], "{delta}");
    admin.delete("flags/second?reason=a+test").await?.ok()?;
    let delta = stream.expect("delta", SOON).await?.data;
    ensure!(delta["removed"]["flags"] == json!(["second"]), "{delta}");
    Ok(())
}

async fn a_kill_and_its_restore_are_urgent(world: World) -> Outcome {
    let (admin, sdk) = with_a_flag(&world).await?;
    let mut stream = WebSocket::connect(&sdk, "raw").await?;
    stream.expect("snapshot", SOON).await?;
    let id = admin.kill_flag("checkout").await?;
    let delta = stream.expect("delta", SOON).await?.data;
    ensure!(
        delta["urgent"] == true && delta["changed"]["kills"][&id]["scope"] == json!({"flag": "checkout"}),
        "{delta}"
    );
    admin.restore(&id).await?.ok()?;
    let delta = stream.expect("delta", SOON).await?.data;
    ensure!(delta["urgent"] == true && delta["removed"]["kills"] == json!([id]), "{delta}");
    Ok(())
}

async fn a_client_that_has_nothing_new_gets_no_payload(world: World) -> Outcome {
    let (admin, sdk) = with_a_flag(&world).await?;
    let mut stream = WebSocket::connect(&sdk, "raw").await?;
    let snapshot = stream.expect("snapshot", SOON).await?;
    stream.close().await?;
    let mut stream = WebSocket::resume(&sdk, &hello_having("raw", &snapshot)).await?;
    // The first frame carries no payload: it is a heartbeat or the next change.
    admin.put_flag("second", &flags::boolean("on")).await?.ok()?;
    let next = stream.expect("delta", SOON).await?;
    ensure!(next.data["from"] == 1, "{}", next.data);
    Ok(())
}

async fn a_resync_is_answered_with_a_snapshot(world: World) -> Outcome {
    let (_, sdk) = with_a_flag(&world).await?;
    let mut stream = WebSocket::connect(&sdk, "raw").await?;
    stream.expect("snapshot", SOON).await?;
    stream.send(&json!({"type": "resync", "why": "a test"})).await?;
    stream.expect("snapshot", SOON).await?;
    Ok(())
}

async fn a_heartbeat_says_where_the_server_is_and_that_it_is_fresh(world: World) -> Outcome {
    let (_, sdk) = with_a_flag(&world).await?;
    let mut stream = WebSocket::connect(&sdk, "raw").await?;
    stream.expect("snapshot", SOON).await?;
    let heartbeat = stream.expect("heartbeat", HEARTBEAT_WITHIN).await?.data;
    ensure!(
        heartbeat["epoch"] == 1 && heartbeat["revision"] == 1 && heartbeat["fresh"] == true && heartbeat["time"].is_string(),
        "{heartbeat}"
    );
    Ok(())
}

async fn at_shutdown_clients_are_told_when_to_come_back(world: World) -> Outcome {
    let (_, sdk) = with_a_flag(&world).await?;
    let mut stream = WebSocket::connect(&sdk, "raw").await?;
    stream.expect("snapshot", SOON).await?;
    world.process()?.signal(Signal::Term)?;
    let goodbye = stream.until_end(SOON).await?.context("no goodbye")?.data;
    ensure!(
        goodbye["retry_after_ms"].is_u64() && goodbye["why"].is_string() && goodbye["retry"] != false,
        "{goodbye}"
    );
    Ok(())
}

async fn streams_are_authorised_like_every_other_read(world: World) -> Outcome {
    let (admin, _) = with_a_flag(&world).await?;
    for (key, status) in [(None, 401), (Some("rc_sdk_nonsense"), 401), (Some(admin.role("client").await?.key()), 403)] {
        let refused = WebSocket::try_open(&admin.with_key(key)).await?;
        ensure!(refused.as_ref().is_err_and(|refused| refused.status == status), "{key:?}: {refused:?}");
    }
    Ok(())
}

async fn connections_are_listed_by_name_until_they_end(world: World) -> Outcome {
    let (admin, sdk) = with_a_flag(&world).await?;
    let mut stream = WebSocket::connect(&sdk, "shop-7f9c").await?;
    let snapshot = stream.expect("snapshot", SOON).await?;
    stream.ack(&snapshot).await?;
    eventually(SOON, "it is listed with the revision that it acknowledged", || async {
        let list = admin.get("connections").await?.ok()?;
        let one = &list["items"][0];
        ensure!(
            one["name"] == "shop-7f9c" && one["sdk"] == "raw/1.0" && one["transport"] == "websocket" && one["revision"] == 1,
            "{list}"
        );
        Ok(())
    })
    .await?;
    stream.send(&json!({"type": "goodbye", "why": "application ends"})).await?;
    drop(stream);
    eventually(SOON, "it is gone from the list", || async {
        let list = admin.get("connections").await?.ok()?;
        ensure!(list["items"] == json!([]), "{list}");
        Ok(())
    })
    .await?;
    Ok(())
}

on_both_stores!(
    a_hello_is_answered_with_everything,
    an_empty_environment_streams_an_empty_snapshot,
    a_change_comes_as_a_delta_with_where_it_leads,
    a_kill_and_its_restore_are_urgent,
    a_client_that_has_nothing_new_gets_no_payload,
    a_resync_is_answered_with_a_snapshot,
    a_heartbeat_says_where_the_server_is_and_that_it_is_fresh,
    at_shutdown_clients_are_told_when_to_come_back,
    streams_are_authorised_like_every_other_read,
    connections_are_listed_by_name_until_they_end
);

/// What waits for a busy connection is dropped for a kill: one delta leads from what was written last to the kill.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_changes_that_a_reader_did_not_read_come_as_few_frames_and_skip_nothing() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let mut stream = WebSocket::connect(&sdk, "slow").await?;
    let mut replica = Replica::default();
    replica.apply(&stream.expect("snapshot", SOON).await?)?;
    for n in 0..300_u32 {
        let fill = char::from(b'a' + u8::try_from(n % 26)?);
        admin.put_flag(&format!("large-{}", n % 10), &flags::large(40_000, fill)).await?.ok()?;
    }
    let id = admin.kill_flag("checkout").await?;
    let mut frames = 0;
    while !replica.kills.contains_key(&id) {
        replica.apply(&stream.frame(SOON).await?)?;
        frames += 1;
    }
    ensure!(replica.hash == admin.snapshot().await?["hash"], "what was collapsed is not what the server has");
    ensure!(frames < 300, "300 revisions came as {frames} frames to a reader that did not read");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_says_no_hello_is_sent_away() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let sdk = server.admin().role("sdk").await?;
    let mut silent = WebSocket::open(&sdk).await?;
    silent.until_end(Duration::from_secs(30)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_the_server_does_not_know_are_skipped_in_a_hello() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let sdk = server.admin().role("sdk").await?;
    let mut newer = hello("newer");
    newer["favourite_colour"] = json!("red");
    WebSocket::resume(&sdk, &newer).await?.expect("snapshot", SOON).await?;
    Ok(())
}
