//! What the streams of flagd's protocols promise.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use ripcord_proto::grpc::evaluation_v2::EventStreamRequest;
use ripcord_proto::grpc::evaluation_v2::service_client::ServiceClient;
use ripcord_proto::grpc::sync_v1::flag_sync_service_client::FlagSyncServiceClient;
use ripcord_proto::grpc::sync_v1::{FetchAllFlagsRequest, GetMetadataRequest, SyncFlagsRequest, SyncFlagsResponse};
use ripcord_tests::server::Setup;
use ripcord_tests::{Server, flags};
use serde_json::{Value, json};
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use crate::grpc::{request, to_map};
use crate::node::Node;
use crate::trial;

const SOON: Duration = Duration::from_secs(10);

pub fn trials() -> Vec<Trial> {
    vec![
        trial("sync_sends_a_kill_of_several_flags_as_one_payload_and_confirms_it_as_sent", a_kill),
        trial("sync_leaves_out_and_names_what_flagd_cannot_say", left_out),
        trial("sync_selects_by_flag_set_and_environment", selectors),
        trial("metadata_is_answered_to_a_key_of_several_environments", metadata),
        trial("sync_ends_when_its_key_is_revoked", revoked),
        trial("sync_asks_for_a_key_and_takes_that_of_the_listener", keys),
        trial("sync_ends_with_unavailable_on_shutdown", shutdown),
        trial("the_event_stream_names_every_flag_that_may_answer_differently", events),
    ]
}

async fn connect(node: &Node) -> Result<FlagSyncServiceClient<Channel>> {
    Ok(FlagSyncServiceClient::new(Channel::from_shared(Node::endpoint(node.sync))?.connect().await?))
}

async fn next(stream: &mut Streaming<SyncFlagsResponse>) -> Result<Value> {
    let message = tokio::time::timeout(SOON, stream.message()).await??.context("the stream is open")?;
    Ok(serde_json::from_str::<Value>(&message.flag_configuration)?["flags"].clone())
}

/// The next state for which this holds: after a burst, a state is repeated.
async fn next_with(stream: &mut Streaming<SyncFlagsResponse>, holds: impl Fn(&Value) -> bool) -> Result<Value> {
    loop {
        let state = next(stream).await?;
        if holds(&state) {
            return Ok(state);
        }
    }
}

fn asking(selector: &str) -> SyncFlagsRequest {
    SyncFlagsRequest {
        provider_id: "checkout".to_owned(),
        selector: selector.to_owned(),
    }
}

async fn a_kill() -> Result<()> {
    let node = Node::start().await?;
    for key in ["a", "b"] {
        node.api.put_flag(key, &flags::tagged("on", &["shop"])).await?.ok()?;
    }
    let key = node.api.role("sdk").await?.key().to_owned();
    let mut client = connect(&node).await?;
    let mut stream = client.sync_flags(request(asking(""), Some(&key), None)).await?.into_inner();
    let first = next(&mut stream).await?;
    ensure!(
        first["a"] == json!({"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}),
        "{first}"
    );
    let killed = node.api.kill(&json!({"tag": "shop"})).await?.ok()?;
    let after = next_with(&mut stream, |state| *state != first).await?;
    for flag in ["a", "b"] {
        ensure!(
            after[flag]["defaultVariant"] == "off" && after[flag]["targeting"] == json!({"if": [true, null]}),
            "{after}"
        );
        ensure!(after[flag]["metadata"]["ripcord.kill"] == killed["id"], "{after}");
    }
    let revision = killed["revision"].as_u64().context("a revision")?;
    let confirmation = node.api.get(&format!("confirmations/{revision}")).await?.ok()?;
    ensure!(
        confirmation["sent"]["confirmed"] == 1 && confirmation["applied"]["connected"] == 0,
        "{confirmation}"
    );
    node.api.restore(killed["id"].as_str().context("an id")?).await?.ok()?;
    next_with(&mut stream, |state| state["a"]["defaultVariant"] == "on").await?;
    let all = client
        .fetch_all_flags(request(FetchAllFlagsRequest::default(), Some(&key), None))
        .await?
        .into_inner();
    ensure!(all.flag_configuration.contains("\"defaultVariant\":\"on\""), "{}", all.flag_configuration);
    client.get_metadata(request(GetMetadataRequest {}, Some(&key), None)).await?;
    Ok(())
}

async fn left_out() -> Result<()> {
    let node = Node::start().await?;
    let mut odd = flags::boolean("on");
    odd["rules"] = json!([{"when": {"attribute": "ip", "in_cidr": "10.0.0.0/8"}, "serve": "off"}]);
    node.api.put_flag("odd", &odd).await?.ok()?;
    node.api.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    let mut client = connect(&node).await?;
    let mut stream = client
        .sync_flags(request(asking("source=production"), Some(node.api.key()), None))
        .await?
        .into_inner();
    let flags = next(&mut stream).await?;
    ensure!(flags.get("plain").is_some() && flags.get("odd").is_none(), "{flags}");
    let connections = node.api.get("connections").await?.ok()?;
    ensure!(connections["items"][0]["left_out"][0]["flag"] == "odd", "{connections}");
    ensure!(
        connections["items"][0]["transport"] == "flagd" && connections["items"][0]["level"] == "sent",
        "{connections}"
    );
    ensure!(node.server.output().contains("odd"), "the log names it");
    let exported = node.run(&["export", "--format", "flagd"])?;
    ensure!(exported.contains("plain") && !exported.contains("odd"), "{exported}");
    Ok(())
}

async fn selectors() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("a", &flags::tagged("on", &["web"])).await?.ok()?;
    node.api.put_flag("b", &flags::boolean("on")).await?.ok()?;
    let key = node.api.role("sdk").await?.key().to_owned();
    let mut client = connect(&node).await?;
    for (header, field, expected) in [
        (None, "", "a b"),
        (Some("flagSetId=web"), "", "a"),
        (None, "flagSetId=web", "a"),
        (Some("flagSetId="), "flagSetId=web", "b"),
        (Some("source=production"), "", "a b"),
        (Some("flagSetId=none-such"), "", ""),
        (Some("flagSetId=web,source=production"), "", "a"),
        (None, "source=production,flagSetId=web", "a"),
    ] {
        let mut stream = client.sync_flags(request(asking(field), Some(&key), header)).await?.into_inner();
        let flags = next(&mut stream).await?;
        let keys: Vec<_> = flags.as_object().context("a map")?.keys().map(String::as_str).collect();
        ensure!(keys.join(" ") == expected, "{header:?} {field:?}: {keys:?}");
    }
    let refused = client
        .sync_flags(request(asking(""), Some(&key), Some("colour=red")))
        .await
        .err()
        .context("refused")?;
    ensure!(refused.code() == Code::InvalidArgument, "{refused}");
    let refused = client
        .sync_flags(request(asking(""), Some(&key), Some("flagSetId=web,colour=red")))
        .await
        .err()
        .context("refused")?;
    ensure!(refused.code() == Code::InvalidArgument, "{refused}");
    let refused = client
        .sync_flags(request(asking(""), Some(&key), Some("source=elsewhere")))
        .await
        .err()
        .context("refused")?;
    ensure!(refused.code() == Code::PermissionDenied, "{refused}");
    Ok(())
}

/// The first thing that some clients ask for, without a selector.
async fn metadata() -> Result<()> {
    let node = Node::start().await?;
    let mut client = connect(&node).await?;
    client.get_metadata(request(GetMetadataRequest {}, Some(node.api.key()), None)).await?;
    for key in [None, Some("rc_sdk_nonsense")] {
        let refused = client.get_metadata(request(GetMetadataRequest {}, key, None)).await.err().context("refused")?;
        ensure!(refused.code() == Code::Unauthenticated, "{refused}");
    }
    Ok(())
}

async fn revoked() -> Result<()> {
    let node = Node::start().await?;
    let (holder, id) = node.api.role_with_id("sdk").await?;
    let mut stream = connect(&node)
        .await?
        .sync_flags(request(asking(""), Some(holder.key()), None))
        .await?
        .into_inner();
    next(&mut stream).await?;
    node.api
        .request(reqwest::Method::DELETE, &format!("/v1/keys/{id}"))
        .send()
        .await?
        .error_for_status()?;
    let ended = tokio::time::timeout(SOON, stream.message()).await?.err().context("it ends")?;
    ensure!(ended.code() == Code::Unauthenticated, "{ended}");
    Ok(())
}

async fn keys() -> Result<()> {
    let node = Node::start().await?;
    let mut client = connect(&node).await?;
    let refused = client.sync_flags(request(asking(""), None, None)).await.err().context("refused")?;
    ensure!(refused.code() == Code::Unauthenticated, "{refused}");
    let refused = client
        .sync_flags(request(asking(""), Some("rc_sdk_nonsense"), None))
        .await
        .err()
        .context("refused")?;
    ensure!(refused.code() == Code::Unauthenticated, "{refused}");
    let public = node.api.role("client").await?.key().to_owned();
    let refused = client.sync_flags(request(asking(""), Some(&public), None)).await.err().context("refused")?;
    ensure!(refused.code() == Code::PermissionDenied, "{refused}");
    let key = node.api.role("sdk").await?.key().to_owned();
    let mut server = node.server;
    server.stop()?;
    let (sync, port) = (node.sync, node.evaluation);
    let own = |setup: Setup| setup.argument("--grpc-key").argument(&key);
    let listening = |address: &str| {
        let setup = Setup::embedded().port(server.port());
        setup
            .argument("--grpc-sync-listen")
            .argument(format!("{address}:{sync}"))
            .argument("--grpc-eval-listen")
            .argument(format!("127.0.0.1:{port}"))
    };
    let (closed, open) = (own(listening("127.0.0.1")), own(listening("0.0.0.0")));
    server.restart_as(closed).await?;
    let channel = Channel::from_shared(Node::endpoint(sync))?.connect().await?;
    let mut stream = FlagSyncServiceClient::new(channel).sync_flags(asking("")).await?.into_inner();
    ensure!(next(&mut stream).await? == json!({}), "an empty set is a payload too");
    let mut beyond = Server::prepare(open)?;
    beyond.refuses()
}

async fn shutdown() -> Result<()> {
    let mut node = Node::start().await?;
    let mut stream = connect(&node)
        .await?
        .sync_flags(request(asking("production"), Some(node.api.key()), None))
        .await?
        .into_inner();
    next(&mut stream).await?;
    let ended = tokio::spawn(async move { stream.message().await });
    tokio::task::block_in_place(|| node.server.stop())?;
    let status = tokio::time::timeout(SOON, ended).await??.err().context("no good end")?;
    ensure!(status.code() == Code::Unavailable, "{status}");
    Ok(())
}

async fn events() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("a", &flags::boolean("on")).await?.ok()?;
    let mut depends = flags::boolean("off");
    depends["requires"] = json!([{"flag": "a", "variant": "on"}]);
    node.api.put_flag("b", &depends).await?.ok()?;
    let mut client = ServiceClient::new(Channel::from_shared(Node::endpoint(node.evaluation))?.connect().await?);
    let mut stream = client
        .event_stream(request(EventStreamRequest {}, Some(node.api.key()), Some("source=production")))
        .await?
        .into_inner();
    let ready = stream.message().await?.context("an event")?;
    ensure!(ready.r#type == "provider_ready");
    let missed = stream.message().await?.context("an event")?;
    ensure!(missed.r#type == "configuration_change", "{missed:?}");
    node.api.kill_flag("a").await?;
    let event = tokio::time::timeout(SOON, stream.message()).await??.context("an event")?;
    ensure!(event.r#type == "configuration_change");
    let data = Value::Object(to_map(&event.data.context("data")?));
    ensure!(data == json!({"flags": {"a": {"type": "update"}, "b": {"type": "update"}}}), "{data}");
    Ok(())
}
