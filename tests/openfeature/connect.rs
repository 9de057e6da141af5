//! The Connect protocol and gRPC-Web on the evaluation port, as Go's and the web's flagd providers and `curl` speak them, and gRPC health and
//! reflection on both ports.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use libtest_mimic::Trial;
use prost::Message as _;
use reqwest::{Response, Version};
use ripcord_proto::grpc::evaluation_v2::{EventStreamResponse, ResolveBooleanRequest, ResolveBooleanResponse};
use ripcord_tests::api::http;
use ripcord_tests::flags;
use ripcord_tests::server::Setup;
use serde_json::{Value, json};
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::node::Node;
use crate::trial;

const SOON: Duration = Duration::from_secs(10);
const V1: &str = "flagd.evaluation.v1.Service";
const V2: &str = "flagd.evaluation.v2.Service";

pub fn trials() -> Vec<Trial> {
    vec![
        trial("curl_evaluates_with_json_on_the_evaluation_port", json_calls),
        trial("a_go_client_evaluates_by_connect_with_protobuf", proto_calls),
        trial("a_connect_client_hears_of_a_kill_by_http_1", event_stream),
        trial("a_connect_client_is_told_on_shutdown_to_come_back", shutdown),
        trial("grpc_web_evaluates_on_the_evaluation_port", grpc_web),
        trial("connect_is_served_under_tls_by_http_1_and_http_2", tls),
        trial("a_client_that_takes_a_host_alone_sends_its_key_as_a_password", basic),
        trial("a_page_may_call_if_its_origin_is_allowed", pages),
        trial("both_flagd_ports_answer_health_and_reflection", health_and_reflection),
    ]
}

async fn node(setup: Setup) -> Result<(Node, String)> {
    let node = Node::started_with(setup).await?;
    node.api.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    let key = node.api.role("sdk").await?.key().to_owned();
    Ok((node, key))
}

async fn call(node: &Node, key: &str, method: &str, body: &Value) -> Result<(u16, Value)> {
    let url = format!("{}/{method}", Node::endpoint(node.evaluation));
    let response = http().post(url).bearer_auth(key).json(body).send().await?;
    ensure!(response.version() == Version::HTTP_11, "{:?}", response.version());
    Ok((response.status().as_u16(), response.json().await?))
}

async fn json_calls() -> Result<()> {
    let (node, key) = node(Setup::embedded()).await?;
    node.api.put_flag("number", &flags::number(7)).await?.ok()?;
    node.api.put_flag("half", &flags::rollout(50)).await?.ok()?;
    for service in [V1, V2] {
        let (status, got) = call(&node, &key, &format!("{service}/ResolveBoolean"), &json!({"flagKey": "plain"})).await?;
        let expected = json!({"value": true, "reason": "STATIC", "variant": "on", "metadata": {}});
        ensure!(status == 200 && got == expected, "{status} {got}");
        let asked = json!({"flagKey": "half", "context": {"targetingKey": "user-7"}});
        let (status, got) = call(&node, &key, &format!("{service}/ResolveBoolean"), &asked).await?;
        ensure!(status == 200 && got["reason"] != "STATIC" && got["value"].is_boolean(), "{got}");
        let (_, got) = call(&node, &key, &format!("{service}/ResolveInt"), &json!({"flagKey": "number"})).await?;
        ensure!(got["value"] == "7", "protobuf writes 64-bit integers as texts: {got}");
        let (_, got) = call(&node, &key, &format!("{service}/ResolveFloat"), &json!({"flagKey": "number"})).await?;
        ensure!(got["value"].as_f64() == Some(7.0), "{got}");
        let (status, got) = call(&node, &key, &format!("{service}/ResolveBoolean"), &json!({"flagKey": "unknown"})).await?;
        ensure!(status == 404 && got["code"] == "not_found" && got["message"].is_string(), "{status} {got}");
        let (status, got) = call(&node, &key, &format!("{service}/ResolveString"), &json!({"flagKey": "plain"})).await?;
        ensure!(status == 400 && got["code"] == "invalid_argument", "{status} {got}");
    }
    let (_, all) = call(&node, &key, &format!("{V1}/ResolveAll"), &json!({})).await?;
    let plain = json!({"boolValue": true, "reason": "STATIC", "variant": "on", "metadata": {}});
    ensure!(all["flags"]["plain"] == plain, "{all}");
    let (status, got) = call(&node, "rc_sdk_nonsense", &format!("{V1}/ResolveAll"), &json!({})).await?;
    ensure!(status == 401 && got["code"] == "unauthenticated", "{status} {got}");
    Ok(())
}

async fn proto_calls() -> Result<()> {
    let (node, key) = node(Setup::embedded()).await?;
    let ask = |flag: &str| {
        let asked = ResolveBooleanRequest {
            flag_key: flag.to_owned(),
            context: None,
        };
        http()
            .post(format!("{}/{V2}/ResolveBoolean", Node::endpoint(node.evaluation)))
            .bearer_auth(&key)
            .header("content-type", "application/proto")
            .header("connect-protocol-version", "1")
            .header("connect-timeout-ms", "499")
            .body(asked.encode_to_vec())
            .send()
    };
    let response = ask("plain").await?;
    ensure!(response.headers()["content-type"] == "application/proto", "{response:?}");
    let got = ResolveBooleanResponse::decode(response.bytes().await?)?;
    ensure!(got.value == Some(true) && got.variant.as_deref() == Some("on"), "{got:?}");
    let refused = ask("unknown").await?;
    ensure!(refused.status() == 404, "{refused:?}");
    let got: Value = refused.json().await?;
    ensure!(got["code"] == "not_found", "errors are JSON in every format: {got}");
    Ok(())
}

/// The enveloped messages of a stream, and whether each is the last.
struct Envelopes {
    response: Response,
    read: Vec<u8>,
}

impl Envelopes {
    async fn open(node: &Node, key: &str, kind: &str) -> Result<Self> {
        let mut body = vec![0, 0, 0, 0, 0];
        if kind == "json" {
            body = vec![0, 0, 0, 0, 2, b'{', b'}'];
        }
        let response = http()
            .post(format!("{}/{V2}/EventStream", Node::endpoint(node.evaluation)))
            .bearer_auth(key)
            .header("content-type", format!("application/connect+{kind}"))
            .header("connect-protocol-version", "1")
            .body(body)
            .send()
            .await?;
        ensure!(response.status() == 200, "{response:?}");
        Ok(Self { response, read: Vec::new() })
    }

    async fn next(&mut self) -> Result<(u8, Vec<u8>)> {
        loop {
            if let [flags, a, b, c, d, rest @ ..] = self.read.as_slice() {
                let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
                if rest.len() >= length {
                    let found = (*flags, rest[..length].to_vec());
                    self.read.drain(..5 + length);
                    return Ok(found);
                }
            }
            let chunk = tokio::time::timeout(SOON, self.response.chunk()).await??.context("the stream is open")?;
            self.read.extend_from_slice(&chunk);
        }
    }
}

async fn event_stream() -> Result<()> {
    let (node, key) = node(Setup::embedded()).await?;
    let mut as_json = Envelopes::open(&node, &key, "json").await?;
    let mut as_proto = Envelopes::open(&node, &key, "proto").await?;
    let (_, ready) = as_json.next().await?;
    ensure!(serde_json::from_slice::<Value>(&ready)? == json!({"type": "provider_ready"}));
    as_json.next().await?;
    ensure!(EventStreamResponse::decode(as_proto.next().await?.1.as_slice())?.r#type == "provider_ready");
    as_proto.next().await?;
    node.api.kill_flag("plain").await?;
    let (_, change) = as_json.next().await?;
    let expected = json!({"type": "configuration_change", "data": {"flags": {"plain": {"type": "update"}}}});
    ensure!(serde_json::from_slice::<Value>(&change)? == expected);
    ensure!(EventStreamResponse::decode(as_proto.next().await?.1.as_slice())?.r#type == "configuration_change");
    Ok(())
}

async fn shutdown() -> Result<()> {
    let (mut node, key) = node(Setup::embedded()).await?;
    let mut stream = Envelopes::open(&node, &key, "json").await?;
    let ended = tokio::spawn(async move {
        loop {
            let (flags, message) = stream.next().await?;
            if flags & 2 != 0 {
                return anyhow::Ok(serde_json::from_slice::<Value>(&message)?);
            }
        }
    });
    tokio::task::block_in_place(|| node.server.stop())?;
    let end = ended.await??;
    ensure!(end["error"]["code"] == "unavailable", "{end}");
    Ok(())
}

async fn grpc_web() -> Result<()> {
    let (node, key) = node(Setup::embedded()).await?;
    let asked = ResolveBooleanRequest {
        flag_key: "plain".to_owned(),
        context: None,
    }
    .encode_to_vec();
    let mut body = vec![0];
    body.extend_from_slice(&u32::try_from(asked.len())?.to_be_bytes());
    body.extend_from_slice(&asked);
    let response = http()
        .post(format!("{}/{V1}/ResolveBoolean", Node::endpoint(node.evaluation)))
        .bearer_auth(&key)
        .header("content-type", "application/grpc-web+proto")
        .body(body)
        .send()
        .await?;
    let got = response.bytes().await?;
    let length = u32::from_be_bytes(got.get(1..5).context("an envelope")?.try_into()?) as usize;
    let message = ResolveBooleanResponse::decode(got.get(5..5 + length).context("a message")?)?;
    ensure!(message.value == Some(true), "{message:?}");
    let trailers = String::from_utf8_lossy(got.get(5 + length..).unwrap_or_default()).into_owned();
    ensure!(
        trailers.to_lowercase().contains("grpc-status: 0") || trailers.to_lowercase().contains("grpc-status:0"),
        "{trailers}"
    );
    Ok(())
}

async fn tls() -> Result<()> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    let folder = tempfile::tempdir()?;
    let (certificate, private) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem())?;
    std::fs::write(&private, made.signing_key.serialize_pem())?;
    let (node, key) = node(Setup::embedded().tls(&certificate, &private)).await?;
    // The provider of TLS is installed by the harness.
    drop(http());
    let client = || reqwest::Client::builder().tls_danger_accept_invalid_certs(true);
    for (client, version) in [(client().http1_only().build()?, Version::HTTP_11), (client().build()?, Version::HTTP_2)] {
        let response = client
            .post(format!("https://127.0.0.1:{}/{V2}/ResolveBoolean", node.evaluation))
            .bearer_auth(&key)
            .json(&json!({"flagKey": "plain"}))
            .send()
            .await?;
        ensure!(response.version() == version, "{response:?}");
        let got: Value = response.json().await?;
        ensure!(got["value"] == true, "{got}");
    }
    Ok(())
}

async fn basic() -> Result<()> {
    let (node, key) = node(Setup::embedded()).await?;
    let response = http()
        .post(format!("{}/{V2}/ResolveBoolean", Node::endpoint(node.evaluation)))
        .header("authorization", format!("Basic {}", STANDARD.encode(format!("x:{key}"))))
        .json(&json!({"flagKey": "plain"}))
        .send()
        .await?;
    ensure!(response.status() == 200, "{response:?}");
    Ok(())
}

async fn pages() -> Result<()> {
    let setup = Setup::embedded().argument("--grpc-eval-origins").argument("https://shop.example");
    let (node, key) = node(setup).await?;
    let url = format!("{}/{V1}/ResolveAll", Node::endpoint(node.evaluation));
    let preflight = |origin: &'static str| {
        http()
            .request(reqwest::Method::OPTIONS, &url)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,connect-protocol-version,authorization")
            .send()
    };
    let allowed = preflight("https://shop.example").await?;
    let of = |name: &str| allowed.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    ensure!(
        allowed.status() == 204 && of("access-control-allow-origin") == "https://shop.example",
        "{allowed:?}"
    );
    ensure!(of("access-control-allow-headers").contains("connect-protocol-version"), "{allowed:?}");
    let response = http()
        .post(&url)
        .bearer_auth(&key)
        .header("origin", "https://shop.example")
        .json(&json!({}))
        .send()
        .await?;
    ensure!(response.headers()["access-control-allow-origin"] == "https://shop.example", "{response:?}");
    let other = preflight("https://elsewhere.example").await?;
    ensure!(!other.headers().contains_key("access-control-allow-origin"), "{other:?}");
    Ok(())
}

async fn health_and_reflection() -> Result<()> {
    let (node, _) = node(Setup::embedded()).await?;
    for (port, service, absent) in [
        (node.sync, "flagd.sync.v1.FlagSyncService", V2),
        (node.evaluation, V2, "flagd.sync.v1.FlagSyncService"),
    ] {
        let channel = Channel::from_shared(Node::endpoint(port))?.connect().await?;
        let mut health = HealthClient::new(channel.clone());
        for name in ["", service] {
            let got = health.check(HealthCheckRequest { service: name.to_owned() }).await?.into_inner();
            ensure!(got.status() == ServingStatus::Serving, "{name:?}: {got:?}");
        }
        ensure!(health.check(HealthCheckRequest { service: absent.to_owned() }).await.is_err(), "{absent}");
        let mut reflection = ServerReflectionClient::new(channel);
        let ask = |request: MessageRequest| ServerReflectionRequest {
            host: String::new(),
            message_request: Some(request),
        };
        let asked = futures_util::stream::iter([
            ask(MessageRequest::ListServices(String::new())),
            ask(MessageRequest::FileContainingSymbol(service.to_owned())),
        ]);
        let mut answers = reflection.server_reflection_info(asked).await?.into_inner();
        let mut next = async || answers.next().await.context("an answer")??.message_response.context("an answer");
        let MessageResponse::ListServicesResponse(list) = next().await? else {
            anyhow::bail!("no list of services");
        };
        let names: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
        ensure!(
            names.contains(&service) && names.contains(&"grpc.health.v1.Health") && !names.contains(&absent),
            "{names:?}"
        );
        let MessageResponse::FileDescriptorResponse(file) = next().await? else {
            anyhow::bail!("{service} is not described");
        };
        ensure!(!file.file_descriptor_proto.is_empty());
    }
    Ok(())
}
