//! `/v1/stream` as server-sent events: the same frames.

use std::time::Duration;

use anyhow::ensure;
use ripcord_tests::process::Signal;
use ripcord_tests::stream::{Reader, Sse, WebSocket};
use ripcord_tests::{Outcome, Replica, SOON, World, flags, on_both_stores};
use serde_json::json;

const QUERY: &str = "sdk=raw-sse/1.0&instance=raw&instance_id=raw-1";

async fn frames_are_the_same_as_over_websocket_with_name_and_id(world: World) -> Outcome {
    let admin = world.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let mut sse = Sse::with(&sdk, QUERY, None).await?;
    let mut ws = WebSocket::connect(&sdk, "raw-ws").await?;
    let (over_sse, over_ws) = (sse.expect("snapshot", SOON).await?, ws.expect("snapshot", SOON).await?);
    ensure!(over_sse.data == over_ws.data, "{} differs from {}", over_sse.data, over_ws.data);
    ensure!(over_sse.id.as_deref() == Some("1:1"), "the id of the event is {:?}", over_sse.id);
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    let (over_sse, over_ws) = (sse.expect("delta", SOON).await?, ws.expect("delta", SOON).await?);
    ensure!(over_sse.data == over_ws.data, "{} differs from {}", over_sse.data, over_ws.data);
    ensure!(over_sse.id.as_deref() == Some("1:2"), "the id of the event is {:?}", over_sse.id);
    Ok(())
}

async fn last_event_id_resumes_with_what_was_missed(world: World) -> Outcome {
    let admin = world.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let mut replica = Replica::default();
    let first = Sse::with(&sdk, QUERY, None).await?.expect("snapshot", SOON).await?;
    replica.apply(&first)?;
    for n in 0..5 {
        admin.put_flag("counter", &flags::number(n)).await?.ok()?;
    }
    let mut again = Sse::with(&sdk, QUERY, first.id.as_deref()).await?;
    while replica.revision < 6 {
        replica.apply(&again.expect("delta", SOON).await?)?;
    }
    ensure!(replica.hash == admin.snapshot().await?["hash"]);
    let mut current = Sse::with(&sdk, QUERY, Some("1:6")).await?;
    admin.put_flag("counter", &flags::number(9)).await?.ok()?;
    let next = current.expect("delta", SOON).await?;
    ensure!(next.data["from"] == 6, "{}", next.data);
    Ok(())
}

async fn a_last_event_id_from_before_is_answered_with_everything_and_nonsense_is_refused(world: World) -> Outcome {
    let admin = world.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    for id in ["0:9", ""] {
        Sse::with(&sdk, QUERY, Some(id)).await?.expect("snapshot", SOON).await?;
    }
    let nonsense = Sse::open(&sdk, QUERY, Some("nonsense")).await?;
    ensure!(nonsense.status() == 400, "{}", nonsense.status());
    Ok(())
}

async fn heartbeats_come_over_sse_too(world: World) -> Outcome {
    let sdk = world.admin().role("sdk").await?;
    let mut sse = Sse::with(&sdk, QUERY, None).await?;
    sse.expect("snapshot", SOON).await?;
    let heartbeat = sse.expect("heartbeat", Duration::from_secs(40)).await?.data;
    ensure!(heartbeat["fresh"] == true, "{heartbeat}");
    Ok(())
}

async fn at_shutdown_an_event_stream_says_goodbye_and_ends(world: World) -> Outcome {
    let sdk = world.admin().role("sdk").await?;
    let mut sse = Sse::with(&sdk, QUERY, None).await?;
    sse.expect("snapshot", SOON).await?;
    world.process()?.signal(Signal::Term)?;
    let goodbye = sse.until_end(SOON).await?;
    ensure!(goodbye.is_some_and(|frame| frame.data["retry_after_ms"].is_u64()), "no goodbye");
    Ok(())
}

async fn a_hello_that_lacks_its_members_is_refused_by_name(world: World) -> Outcome {
    let sdk = world.admin().role("sdk").await?;
    let response = Sse::open(&sdk, "sdk=raw/1.0", None).await?;
    if !response.status().is_success() {
        let body: serde_json::Value = response.json().await?;
        ensure!(body["status"] == 400 || body["status"] == 422, "{body}");
        ensure!(body["detail"].is_string(), "what is missing is not named: {body}");
    }
    Ok(())
}

async fn an_acknowledgement_of_an_unknown_instance_is_refused(world: World) -> Outcome {
    let sdk = world.admin().role("sdk").await?;
    let hash = "0".repeat(64);
    let ack = json!({"instance_id": "nobody", "epoch": 1, "revision": 0, "hash": hash});
    let answer = sdk.send(reqwest::Method::POST, "/v1/stream/ack?instance_id=nobody", Some(&ack), &[]).await?;
    ensure!([400, 404, 409, 410, 422].contains(&answer.status), "{} {}", answer.status, answer.body);
    Ok(())
}

on_both_stores!(
    frames_are_the_same_as_over_websocket_with_name_and_id,
    last_event_id_resumes_with_what_was_missed,
    a_last_event_id_from_before_is_answered_with_everything_and_nonsense_is_refused,
    heartbeats_come_over_sse_too,
    at_shutdown_an_event_stream_says_goodbye_and_ends,
    a_hello_that_lacks_its_members_is_refused_by_name,
    an_acknowledgement_of_an_unknown_instance_is_refused
);
