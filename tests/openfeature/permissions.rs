//! The permission table over every protocol: what a key of each role may do beside REST, whose table the server's own tests walk.

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use reqwest::Method;
use ripcord_proto::grpc::evaluation_v2::service_client::ServiceClient;
use ripcord_proto::grpc::evaluation_v2::{EventStreamRequest, ResolveBooleanRequest};
use ripcord_proto::grpc::sync_v1::flag_sync_service_client::FlagSyncServiceClient;
use ripcord_proto::grpc::sync_v1::{FetchAllFlagsRequest, GetMetadataRequest, SyncFlagsRequest};
use ripcord_tests::stream::WebSocket;
use ripcord_tests::{Api, flags};
use serde_json::json;
use tonic::Code;
use tonic::transport::Channel;

use crate::grpc::request;
use crate::node::Node;
use crate::trial;

const ROLES: [&str; 7] = ["sdk", "client", "viewer", "pipeline", "oncall", "editor", "admin"];

pub fn trials() -> Vec<Trial> {
    vec![
        trial("every_role_may_do_over_every_protocol_what_the_table_says_and_nothing_else", walk),
        trial("wrong_keys_are_held_back_on_flagd_s_ports_and_valid_ones_are_not", guess),
    ]
}

/// As on the HTTP port: so many guesses of one address are answered, then none; who sends a valid key, or none, notices nothing.
async fn guess() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let valid = node.api.role("sdk").await?;
    let (sync, mut evaluation) = (
        FlagSyncServiceClient::new(channel(node.sync).await?),
        ServiceClient::new(channel(node.evaluation).await?),
    );
    let ask = || ResolveBooleanRequest {
        flag_key: "checkout".to_owned(),
        context: None,
    };
    // All at once, so that they come faster than guesses are allowed to.
    let guesses = (0..600).map(|number| {
        let (wrong, mut sync, mut evaluation) = (format!("rc_sdk_{number:032}"), sync.clone(), evaluation.clone());
        async move {
            let refused = match number % 3 {
                0 => evaluation.resolve_boolean(request(ask(), Some(&wrong), None)).await.err(),
                1 => sync.get_metadata(request(GetMetadataRequest::default(), Some(&wrong), None)).await.err(),
                _ => sync.sync_flags(request(SyncFlagsRequest::default(), Some(&wrong), None)).await.err(),
            };
            refused.map(|error| error.code())
        }
    });
    let codes = futures_util::future::join_all(guesses).await;
    let are_refusals = codes.iter().all(|code| matches!(code, Some(Code::Unauthenticated | Code::ResourceExhausted)));
    ensure!(are_refusals, "{codes:?}");
    ensure!(codes.contains(&Some(Code::ResourceExhausted)), "no guess was held back");
    evaluation.resolve_boolean(request(ask(), Some(valid.key()), None)).await?;
    let without = evaluation.resolve_boolean(request(ask(), None, None)).await.err().map(|error| error.code());
    ensure!(without == Some(Code::Unauthenticated), "a missing key is no guess: {without:?}");
    // The budget is the address's, whatever the port.
    let rest = node.api.with_key(Some("rc_sdk_wrong")).get("flags").await?;
    ensure!(rest.status == 429 || rest.status == 401, "{rest:?}");
    Ok(())
}

async fn walk() -> Result<()> {
    let node = Node::start().await?;
    let mut flag = flags::boolean("on");
    flag["client"] = json!(true);
    node.api.put_flag("checkout", &flag).await?.ok()?;
    for role in ROLES {
        let caller = if role == "admin" { node.api.clone() } else { node.api.role(role).await? };
        http(&caller, role).await.with_context(|| role.to_owned())?;
        grpc(&node, &caller, role).await.with_context(|| role.to_owned())?;
    }
    Ok(())
}

/// The answers that mean "not allowed" or not.
fn expect(what: &str, status: u16, allowed: bool) -> Result<()> {
    let is_refused = status == 403 || status == 401;
    ensure!(is_refused != allowed && status < 500, "{what}: {status}, allowed: {allowed}");
    Ok(())
}

async fn http(caller: &Api, role: &str) -> Result<()> {
    let (is_sdk, is_public) = (role == "sdk", role == "client");
    let query = "environment=production";
    let get = async |path: &str| {
        anyhow::Ok(
            caller
                .request(Method::GET, path)
                .header("accept", "text/event-stream")
                .send()
                .await?
                .status()
                .as_u16(),
        )
    };
    let post = async |path: &str, body: serde_json::Value| anyhow::Ok(caller.send(Method::POST, path, Some(&body), &[]).await?.status);
    expect("stream by events", get(&format!("/v1/stream?{query}")).await?, !is_public)?;
    expect("snapshot", get(&format!("/v1/snapshot?{query}")).await?, !is_public)?;
    if role != "admin" {
        // A WebSocket of a key of several environments has to name one, which this client does not.
        let opened = WebSocket::try_open(caller).await?;
        expect("stream by WebSocket", opened.err().map_or(101, |refused| refused.status), !is_public)?;
    }
    let ack = json!({"instance_id": "nobody", "epoch": 1, "revision": 0, "hash": "0".repeat(64)});
    let acknowledged = post(&format!("/v1/stream/ack?{query}"), ack).await?;
    ensure!(acknowledged == if is_sdk { 404 } else { 403 }, "ack: {acknowledged}");
    let batch = json!({"instance_id": "i", "batch": 1, "counts": []});
    let reported = post(&format!("/v1/outcomes?{query}"), batch).await?;
    ensure!(reported == if is_sdk { 202 } else { 403 }, "outcomes: {reported}");
    expect(
        "OFREP, one flag",
        post(&format!("/ofrep/v1/evaluate/flags/checkout?{query}"), json!({})).await?,
        true,
    )?;
    expect("OFREP, all flags", post(&format!("/ofrep/v1/evaluate/flags?{query}"), json!({})).await?, true)?;
    // These go by proofs of their own: no key is one.
    let hook = post("/v1/hooks/production.nothing", json!({})).await?;
    ensure!([401, 404].contains(&hook), "hook: {hook}");
    for path in ["/v1/peer/sync", "/v1/peer/confirmations"] {
        let peer = post(path, json!({})).await?;
        ensure!([401, 404].contains(&peer), "{path}: {peer}");
    }
    Ok(())
}

async fn channel(port: u16) -> Result<Channel> {
    Ok(Channel::from_shared(Node::endpoint(port))?.connect().await?)
}

async fn grpc(node: &Node, caller: &Api, role: &str) -> Result<()> {
    let allowed = role != "client";
    let (key, selector) = (Some(caller.key()), Some("source=production"));
    let check = |what: &str, code: Option<Code>| {
        let as_it_should = if allowed { code.is_none() } else { code == Some(Code::PermissionDenied) };
        ensure!(as_it_should, "{what}: {code:?}");
        Ok(())
    };
    let mut sync = FlagSyncServiceClient::new(channel(node.sync).await?);
    let asked = SyncFlagsRequest::default();
    check("sync", sync.sync_flags(request(asked, key, selector)).await.err().map(|error| error.code()))?;
    let asked = FetchAllFlagsRequest::default();
    check(
        "fetch",
        sync.fetch_all_flags(request(asked, key, selector)).await.err().map(|error| error.code()),
    )?;
    let asked = GetMetadataRequest::default();
    check(
        "metadata",
        sync.get_metadata(request(asked, key, selector)).await.err().map(|error| error.code()),
    )?;
    let mut evaluation = ServiceClient::new(channel(node.evaluation).await?);
    let asked = ResolveBooleanRequest {
        flag_key: "checkout".to_owned(),
        context: None,
    };
    check(
        "resolve",
        evaluation.resolve_boolean(request(asked, key, selector)).await.err().map(|error| error.code()),
    )?;
    let asked = EventStreamRequest {};
    check(
        "events",
        evaluation.event_stream(request(asked, key, selector)).await.err().map(|error| error.code()),
    )
}
