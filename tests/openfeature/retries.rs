//! A published client retries every error for half a second, unless the server forbids it: then a kill of a flag without a safe variant
//! would make each evaluation slow.

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use ripcord_proto::grpc::evaluation_v1::service_client::ServiceClient as V1;
use ripcord_proto::grpc::evaluation_v1::{EventStreamRequest, ResolveAllRequest};
use ripcord_proto::grpc::sync_v1::flag_sync_service_client::FlagSyncServiceClient;
use ripcord_proto::grpc::sync_v1::{FetchAllFlagsRequest, SyncFlagsRequest};
use ripcord_proto::grpc::{evaluation_v1 as v1, evaluation_v2 as v2};
use ripcord_tests::flags;
use serde_json::json;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::grpc::request;
use crate::node::Node;
use crate::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_client_that_retries_errors_asks_once_for_an_answer_that_stays_the_same", evaluations),
        trial("a_client_that_retries_errors_asks_once_when_it_is_refused", refusals),
        trial("a_client_may_retry_when_the_server_shuts_down", shutdown),
    ]
}

/// How often the client would call: until half a second is over, unless the trailer forbids it.
fn calls_again(status: &Status) -> bool {
    let pushback = status.metadata().get("grpc-retry-pushback-ms").and_then(|value| value.to_str().ok());
    pushback.is_none_or(|value| value.parse::<i32>().is_ok_and(|wait| wait >= 0))
}

fn once(status: &Status, code: Code, what: &str) -> Result<()> {
    ensure!(status.code() == code, "{what}: {status}");
    ensure!(!calls_again(status), "{what} is retried: {status:?}");
    Ok(())
}

async fn evaluations() -> Result<()> {
    let node = Node::start().await?;
    node.api
        .put_flag("own", &json!({"variants": {"x": true}, "default": null, "safe": null}))
        .await?
        .ok()?;
    node.api
        .put_flag("killed", &json!({"variants": {"x": true}, "default": "x", "safe": null}))
        .await?
        .ok()?;
    node.api.kill_flag("killed").await?;
    node.api.put_flag("number", &flags::number(1)).await?.ok()?;
    let broken = json!({"variants": {"x": true}, "default": "x", "safe": "x", "rules": [{"serve": {"jsonlogic": {"nowhere": [1]}}}]});
    node.api.put_flag("broken", &broken).await?.ok()?;
    let key = node.api.role("sdk").await?.key().to_owned();
    let channel = Channel::from_shared(Node::endpoint(node.evaluation))?.connect().await?;
    let (mut old, mut new) = (V1::new(channel.clone()), v2::service_client::ServiceClient::new(channel));
    for (flag, code) in [
        ("own", Code::NotFound),
        ("killed", Code::NotFound),
        ("unknown", Code::NotFound),
        ("number", Code::InvalidArgument),
        ("broken", Code::DataLoss),
    ] {
        let asked = v1::ResolveBooleanRequest {
            flag_key: flag.to_owned(),
            context: None,
        };
        let status = old.resolve_boolean(request(asked, Some(&key), None)).await.err().context("an error")?;
        once(&status, code, flag)?;
        let asked = v2::ResolveBooleanRequest {
            flag_key: flag.to_owned(),
            context: None,
        };
        match new.resolve_boolean(request(asked, Some(&key), None)).await {
            Err(status) => once(&status, code, flag)?,
            Ok(_) => ensure!(["own", "killed"].contains(&flag), "{flag} has an answer"),
        }
    }
    Ok(())
}

async fn refusals() -> Result<()> {
    let node = Node::start().await?;
    let key = node.api.role("sdk").await?.key().to_owned();
    let public = node.api.role("client").await?.key().to_owned();
    let mut evaluation = V1::new(Channel::from_shared(Node::endpoint(node.evaluation))?.connect().await?);
    let mut sync = FlagSyncServiceClient::new(Channel::from_shared(Node::endpoint(node.sync))?.connect().await?);
    for (key, selector, code) in [
        (None, None, Code::Unauthenticated),
        (Some("rc_sdk_nonsense"), None, Code::Unauthenticated),
        (Some(public.as_str()), None, Code::PermissionDenied),
        (Some(key.as_str()), Some("colour=red"), Code::InvalidArgument),
        (Some(key.as_str()), Some("source=elsewhere"), Code::PermissionDenied),
    ] {
        let what = format!("{key:?} {selector:?}");
        let status = evaluation.resolve_all(request(ResolveAllRequest::default(), key, selector)).await.err();
        once(&status.context("refused")?, code, &what)?;
        let status = evaluation.event_stream(request(EventStreamRequest {}, key, selector)).await.err();
        once(&status.context("refused")?, code, &what)?;
        let status = sync.sync_flags(request(SyncFlagsRequest::default(), key, selector)).await.err();
        once(&status.context("refused")?, code, &what)?;
        let status = sync.fetch_all_flags(request(FetchAllFlagsRequest::default(), key, selector)).await.err();
        once(&status.context("refused")?, code, &what)?;
    }
    Ok(())
}

async fn shutdown() -> Result<()> {
    let mut node = Node::start().await?;
    let key = node.api.role("sdk").await?.key().to_owned();
    let mut sync = FlagSyncServiceClient::new(Channel::from_shared(Node::endpoint(node.sync))?.connect().await?);
    let mut stream = sync.sync_flags(request(SyncFlagsRequest::default(), Some(&key), None)).await?.into_inner();
    stream.message().await?.context("the flags")?;
    let ended = tokio::spawn(async move { stream.message().await });
    tokio::task::block_in_place(|| node.server.stop())?;
    let status = ended.await?.err().context("no good end")?;
    ensure!(status.code() == Code::Unavailable && calls_again(&status), "{status:?}");
    Ok(())
}
