//! Bad input and bad readers: clear errors, and nothing that grows without bound.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use prost_types::value::Kind as Wire;
use prost_types::{Struct, Value as WireValue};
use reqwest::Method;
use ripcord_proto::grpc::evaluation_v2::service_client::ServiceClient;
use ripcord_proto::grpc::evaluation_v2::{EventStreamRequest, ResolveBooleanRequest};
use ripcord_proto::grpc::sync_v1::SyncFlagsRequest;
use ripcord_proto::grpc::sync_v1::flag_sync_service_client::FlagSyncServiceClient;
use ripcord_tests::{SOON, eventually, flags};
use serde_json::{Value, json};
use tonic::Code;
use tonic::transport::Channel;

use crate::grpc::request;
use crate::node::Node;
use crate::trial;

const SINGLE: &str = "/ofrep/v1/evaluate/flags";
/// What a server may grow by while readers are slow, of a gigabyte that they were not read.
const GROWTH: u64 = 48 * 1024 * 1024;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("ofrep_refuses_bad_bodies_with_details", bodies),
        trial("ofrep_answers_whoever_has_no_targeting_key_and_a_context_as_large_as_may_be", odd_contexts),
        trial("ofrep_refuses_paths_and_methods_that_it_does_not_have", paths),
        trial("a_flag_with_a_rule_that_cannot_be_run_fails_alone", broken_rules),
        trial("an_import_refuses_rules_beyond_their_bounds_by_name", imports),
        trial("grpc_refuses_contexts_beyond_their_bounds", grpc_contexts),
        trial("grpc_calls_that_are_cancelled_leave_nothing", cancelled),
        trial("a_reader_that_never_reads_costs_no_memory_and_finds_the_newest", slow),
    ]
}

async fn bodies() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    let deep = format!("{{\"context\": {}1{}}}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
    let large = json!({"context": {"text": "x".repeat(1024 * 1024)}}).to_string();
    for (kind, body, status, code) in [
        ("text/plain", b"{}".to_vec(), 400, "PARSE_ERROR"),
        ("application/x-www-form-urlencoded", b"context=1".to_vec(), 400, "PARSE_ERROR"),
        ("application/json", b"{\"context\":".to_vec(), 400, "PARSE_ERROR"),
        ("application/json", b"[]".to_vec(), 400, "PARSE_ERROR"),
        ("application/json", b"{} trailing".to_vec(), 400, "PARSE_ERROR"),
        ("application/json", b"{\"context\": {\"a\": \"\xff\"}}".to_vec(), 400, "PARSE_ERROR"),
        ("application/json", deep.into_bytes(), 400, "PARSE_ERROR"),
        ("application/json", b"{\"context\": 7}".to_vec(), 400, "INVALID_CONTEXT"),
        ("application/json", b"{\"context\": [1]}".to_vec(), 400, "INVALID_CONTEXT"),
        ("application/json", large.into_bytes(), 413, ""),
    ] {
        for path in [format!("{SINGLE}/plain?environment=production"), format!("{SINGLE}?environment=production")] {
            let request = node.api.request(Method::POST, &path).header("content-type", kind).body(body.clone());
            let got = ripcord_tests::api::read(request).await?;
            ensure!(got.status == status, "{kind}: {got:?}");
            ensure!(code.is_empty() || got.body["errorCode"] == code, "{got:?}");
            ensure!(got.body["errorDetails"].as_str().is_some_and(|text| !text.is_empty()), "{got:?}");
            let names_flag = got.body.get("key").is_some();
            ensure!(
                status != 400 || names_flag == path.contains("plain"),
                "the flag is named where one was asked for: {got:?}"
            );
        }
    }
    Ok(())
}

async fn odd_contexts() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("half", &flags::rollout(50)).await?.ok()?;
    let ask = |body: String| {
        let path = format!("{SINGLE}/half?environment=production");
        let request = node
            .api
            .request(Method::POST, &path)
            .header("content-type", "application/json; charset=utf-8")
            .body(body);
        async move { ripcord_tests::api::read(request).await }
    };
    for context in [
        json!({}),
        json!({"targetingKey": ""}),
        json!({"targetingKey": null}),
        json!({"targetingKey": [1]}),
    ] {
        let got = ask(json!({ "context": context }).to_string()).await?.ok()?;
        ensure!(got["reason"] == "DEFAULT", "{context}: {got}");
    }
    let most = 1024 * 1024 - json!({"context": {"targetingKey": "u", "text": ""}}).to_string().len();
    let got = ask(json!({"context": {"targetingKey": "u", "text": "x".repeat(most)}}).to_string())
        .await?
        .ok()?;
    ensure!(got["reason"] == "SPLIT" || got["reason"] == "TARGETING_MATCH", "{got}");
    let many = |count: usize| -> serde_json::Map<String, Value> { (0..count).map(|number| (format!("attribute-{number}"), json!(number))).collect() };
    ask(json!({ "context": many(2_000) }).to_string()).await?.ok()?;
    let refused = ask(json!({ "context": many(40_000) }).to_string()).await?;
    ensure!((refused.status, &refused.body["errorCode"]) == (400, &json!("INVALID_CONTEXT")), "{refused:?}");
    Ok(())
}

async fn paths() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    let ask = |method: Method, path: &'static str| {
        let request = node.api.request(method, path).json(&json!({}));
        async move { ripcord_tests::api::read(request).await }
    };
    let got = ask(Method::GET, "/ofrep/v1/evaluate/flags/plain?environment=production").await?;
    ensure!(got.status == 405 && got.header("allow").is_some_and(|allow| allow.contains("POST")), "{got:?}");
    ensure!(got.body["errorDetails"].is_string(), "{got:?}");
    ensure!(ask(Method::POST, "/ofrep/v1/events").await?.status == 405);
    ensure!(ask(Method::POST, "/ofrep/v1/evaluate/flags/").await?.status == 404);
    ensure!(ask(Method::POST, "/ofrep/v2/evaluate/flags").await?.status == 404);
    let got = ask(Method::POST, "/ofrep/v1/evaluate/flags/%ff?environment=production").await?;
    ensure!(got.status == 400 && got.body["errorCode"] == "PARSE_ERROR", "{got:?}");
    let got = ask(Method::POST, "/ofrep/v1/evaluate/flags/plain?environment=elsewhere").await?;
    ensure!(got.status == 400 && got.body["errorCode"] == "GENERAL" && got.body["key"] == "plain", "{got:?}");
    let got = ask(Method::POST, "/ofrep/v1/evaluate/flags/plain").await?;
    ensure!(
        got.status == 400 && got.body["errorCode"] == "GENERAL" && got.body["key"] == "plain",
        "a key of several environments: {got:?}"
    );
    let got = ask(Method::POST, "/ofrep/v1/evaluate/flags").await?;
    ensure!(
        got.status == 400 && got.body["errorCode"] == "GENERAL" && got.body.get("key").is_none(),
        "{got:?}"
    );
    let request = node
        .api
        .request(Method::POST, "/ofrep/v1/evaluate/flags/plain")
        .header("flagd-selector", "flagSetId");
    let got = ripcord_tests::api::read(request).await?;
    ensure!(
        got.status >= 400 && got.body["errorDetails"].is_string(),
        "an environment of this name there is not: {got:?}"
    );
    Ok(())
}

async fn broken_rules() -> Result<()> {
    let node = Node::start().await?;
    let file = node.server.scratch().join("flags.json");
    let of = |targeting: Value| json!({"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on", "targeting": targeting});
    let document = json!({"flags": {
        "fine": of(json!({"if": [true, "off"]})),
        "unknown": of(json!({"quantum_leap": [1]})),
        "nobody": of(json!({"if": [{"$ref": "nobody"}, "on"]})),
        "stranger": of(json!("zeta")),
    }});
    std::fs::write(&file, document.to_string())?;
    node.import(&file)?;
    let request = node
        .api
        .request(Method::POST, "/ofrep/v1/evaluate/flags?environment=production")
        .json(&json!({}));
    let all = ripcord_tests::api::read(request).await?.ok()?;
    let of = |key: &str| {
        all["flags"]
            .as_array()
            .and_then(|flags| flags.iter().find(|flag| flag["key"] == key))
            .cloned()
            .context("a flag")
    };
    ensure!(of("fine")?["value"] == false, "{all}");
    for (key, code) in [("unknown", "PARSE_ERROR"), ("nobody", "PARSE_ERROR"), ("stranger", "GENERAL")] {
        ensure!(of(key)?["errorCode"] == code && of(key)?["errorDetails"].is_string(), "{all}");
    }
    Ok(())
}

async fn imports() -> Result<()> {
    let node = Node::start().await?;
    let file = node.server.scratch().join("flags.json");
    let flag = |targeting: &str| {
        format!(
            r#"{{"flags": {{"fine": {{"state": "ENABLED", "variants": {{"a": 1}}}}, "deep": {{"state": "ENABLED", "variants": {{"a": 1}}, "defaultVariant": "a", "targeting": {targeting}}}}}}}"#
        )
    };
    let nested = |levels: usize| format!("{}true{}", r#"{"!":["#.repeat(levels), "]}".repeat(levels));
    for targeting in [nested(100), nested(10_000), format!(r#"{{"cat": ["{}"]}}"#, "x".repeat(1024 * 1024))] {
        std::fs::write(&file, flag(&targeting))?;
        let ran = node.server.command().args(["import", "flagd", "-f"]).arg(&file).args(node.access()).output()?;
        let said = String::from_utf8_lossy(&ran.stderr);
        ensure!(!ran.status.success() && said.len() < 8_192, "{} bytes: {said}", said.len());
        ensure!(said.contains("deep") || said.contains("recursion") || said.contains("nest"), "{said}");
    }
    ensure!(
        node.api.get("flags").await?.ok()?["items"].as_array().is_some_and(Vec::is_empty),
        "nothing was applied by half"
    );
    Ok(())
}

async fn evaluation(node: &Node) -> Result<ServiceClient<Channel>> {
    Ok(ServiceClient::new(Channel::from_shared(Node::endpoint(node.evaluation))?.connect().await?))
}

async fn grpc_contexts() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    let mut client = evaluation(&node).await?;
    let text = |text: String| WireValue {
        kind: Some(Wire::StringValue(text)),
    };
    let of = |value: WireValue| Struct {
        fields: [("a".to_owned(), value)].into(),
    };
    let deep = (0..500).fold(text("x".to_owned()), |inner, _| WireValue {
        kind: Some(Wire::StructValue(of(inner))),
    });
    for (context, code) in [
        (of(text("x".repeat(1024 * 1024 - 1_024))), None),
        (of(text("x".repeat(5 * 1024 * 1024))), Some(Code::ResourceExhausted)),
        (of(deep), Some(Code::InvalidArgument)),
    ] {
        let message = ResolveBooleanRequest {
            flag_key: "plain".to_owned(),
            context: Some(context),
        };
        let got = client.resolve_boolean(request(message, Some(node.api.key()), Some("source=production"))).await;
        ensure!(got.as_ref().err().map(tonic::Status::code) == code, "{got:?}");
    }
    Ok(())
}

async fn cancelled() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    let channel = Channel::from_shared(Node::endpoint(node.sync))?.connect().await?;
    let asked = || request(SyncFlagsRequest::default(), Some(node.api.key()), Some("source=production"));
    for _ in 0..100 {
        let mut streams = Vec::new();
        for _ in 0..5 {
            streams.push(FlagSyncServiceClient::new(channel.clone()).sync_flags(asked()).await?);
        }
    }
    let mut events = evaluation(&node).await?;
    for _ in 0..100 {
        drop(
            events
                .event_stream(request(EventStreamRequest {}, Some(node.api.key()), Some("source=production")))
                .await?,
        );
    }
    eventually(SOON, "no client is connected any more", || async {
        let connections = node.api.get("connections").await?.ok()?;
        let left = connections["items"]
            .as_array()
            .context("items")?
            .iter()
            .filter(|item| item["state"] == "connected")
            .count();
        ensure!(left == 0, "{left} are");
        Ok(())
    })
    .await?;
    node.api.kill_flag("plain").await?;
    Ok(())
}

/// Two hundred payloads of half a megabyte, for readers that read nothing in between.
async fn slow() -> Result<()> {
    let node = Node::start().await?;
    for number in 0..10 {
        node.api.put_flag(&format!("large-{number}"), &flags::large(50_000, 'a')).await?.ok()?;
    }
    let mut readers = Vec::new();
    for _ in 0..10 {
        let channel = Channel::from_shared(Node::endpoint(node.sync))?.connect().await?;
        let mut client = FlagSyncServiceClient::new(channel).max_decoding_message_size(16 * 1024 * 1024);
        let asked = request(SyncFlagsRequest::default(), Some(node.api.key()), Some("source=production"));
        readers.push(client.sync_flags(asked).await?.into_inner());
    }
    let before = node.server.process()?.resident()?;
    for number in 0..200 {
        node.api.put_flag("small", &flags::number(number)).await?.ok()?;
    }
    node.api.put_flag("last", &flags::boolean("on")).await?.ok()?;
    let grown = node.server.process()?.resident()?.saturating_sub(before);
    println!("10 readers that did not read 200 payloads of 500 kB: the server grew by {} KiB", grown / 1024);
    for mut reader in readers {
        let mut read = 0;
        loop {
            let message = tokio::time::timeout(Duration::from_secs(20), reader.message())
                .await??
                .context("the stream is open")?;
            read += 1;
            if message.flag_configuration.contains("\"last\"") {
                break;
            }
        }
        ensure!(read < 20, "{read} messages were kept for a reader that did not read");
    }
    ensure!(grown < GROWTH, "the server grew by {grown} bytes");
    Ok(())
}
