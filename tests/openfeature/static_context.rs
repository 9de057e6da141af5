//! What an environment itself says of every evaluation: static values, and values from headers, as flagd has them.

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use reqwest::Method;
use ripcord_proto::grpc::evaluation_v2::ResolveBooleanRequest;
use ripcord_proto::grpc::evaluation_v2::service_client::ServiceClient;
use ripcord_proto::grpc::sync_v1::flag_sync_service_client::FlagSyncServiceClient;
use ripcord_proto::grpc::sync_v1::{GetMetadataRequest, SyncFlagsRequest};
use ripcord_sdk::Client;
use ripcord_tests::api::read;
use ripcord_tests::{SOON, eventually, flags};
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::grpc::{request, to_map};
use crate::node::Node;
use crate::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("static_context_values_hold_in_every_way_to_evaluate", everywhere),
        trial("values_of_named_headers_are_attributes_of_remote_evaluations", headers),
        trial("headers_that_hold_secrets_are_no_attributes", secrets),
    ]
}

fn by(attribute: &str) -> Value {
    let mut flag = flags::boolean("off");
    flag["rules"] = json!([{"when": {"attribute": attribute, "equals": "beta"}, "serve": "on"}]);
    flag
}

async fn everywhere() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("a", &by("plan")).await?.ok()?;
    let key = node.api.role("sdk").await?;
    let client = Client::builder(&node.server.url(), key.key()).start()?;
    client.ready().await?;
    ensure!(!client.bool("a", &ripcord_sdk::Context::new("u").with("plan", "free"), false));
    let settings = json!({"bucketing": "v3", "context": {"plan": "beta"}});
    node.api.put("settings?reason=test", &settings).await?.ok()?;
    // What the caller says gives way.
    let context = json!({"context": {"targetingKey": "u", "plan": "free"}});
    let ofrep = read(key.request(Method::POST, "/ofrep/v1/evaluate/flags/a").json(&context)).await?.ok()?;
    ensure!(ofrep["value"] == true, "{ofrep}");
    let bulk = read(key.request(Method::POST, "/ofrep/v1/evaluate/flags").json(&context)).await?.ok()?;
    ensure!(bulk["flags"][0]["value"] == true, "{bulk}");
    let asked = ResolveBooleanRequest {
        flag_key: "a".to_owned(),
        context: None,
    };
    let mut evaluation = ServiceClient::new(Channel::from_shared(Node::endpoint(node.evaluation))?.connect().await?);
    let got = evaluation.resolve_boolean(request(asked, Some(key.key()), None)).await?.into_inner();
    ensure!(got.value == Some(true), "{got:?}");
    let mut sync = FlagSyncServiceClient::new(Channel::from_shared(Node::endpoint(node.sync))?.connect().await?);
    let mut stream = sync.sync_flags(request(SyncFlagsRequest::default(), Some(key.key()), None)).await?.into_inner();
    let told = stream.message().await?.and_then(|message| message.sync_context).context("a context")?;
    ensure!(Value::Object(to_map(&told)) == json!({"plan": "beta"}), "{told:?}");
    let metadata = sync
        .get_metadata(request(GetMetadataRequest {}, Some(key.key()), None))
        .await?
        .into_inner()
        .metadata;
    ensure!(metadata.as_ref() == Some(&told), "{metadata:?}");
    eventually(SOON, "the application evaluates under it too", || {
        let on = client.bool("a", &ripcord_sdk::Context::new("u").with("plan", "free"), false);
        async move { on.then_some(()).context("off") }
    })
    .await
}

async fn headers() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("a", &by("plan")).await?.ok()?;
    let key = node.api.role("sdk").await?;
    let settings = json!({"bucketing": "v3", "context_from_headers": {"X-Plan": "plan"}});
    node.api.put("settings?reason=test", &settings).await?.ok()?;
    let ask = |plan: &'static str| {
        let context = json!({"context": {"plan": "free"}});
        read(key.request(Method::POST, "/ofrep/v1/evaluate/flags/a").header("x-plan", plan).json(&context))
    };
    ensure!(ask("beta").await?.ok()?["value"] == true);
    ensure!(ask("free").await?.ok()?["value"] == false);
    let mut evaluation = ServiceClient::new(Channel::from_shared(Node::endpoint(node.evaluation))?.connect().await?);
    let asked = ResolveBooleanRequest {
        flag_key: "a".to_owned(),
        context: None,
    };
    let mut call = request(asked, Some(key.key()), None);
    call.metadata_mut().insert("x-plan", "beta".parse()?);
    ensure!(evaluation.resolve_boolean(call).await?.into_inner().value == Some(true));
    Ok(())
}

async fn secrets() -> Result<()> {
    let node = Node::start().await?;
    for wrong in [
        json!({"Authorization": "plan"}),
        json!({"x-api-key": "plan"}),
        json!({"not a header": "plan"}),
        json!({"x-plan": ""}),
    ] {
        let settings = json!({"bucketing": "v3", "context_from_headers": wrong});
        node.api.put("settings?reason=test", &settings).await?.problem(422, "INVALID")?;
    }
    let twice = json!({"bucketing": "v3", "context": {"plan": 1}, "context_from_headers": {"x-plan": "plan"}});
    node.api.put("settings?reason=test", &twice).await?.problem(422, "INVALID")?;
    Ok(())
}
