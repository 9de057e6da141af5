//! Spans as a collector gets them: the attributes that OpenTelemetry names for feature flags, on the caller's trace.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Wire;
use prost::Message as _;
use reqwest::Method;
use ripcord_proto::grpc::evaluation_v2::ResolveBooleanRequest;
use ripcord_proto::grpc::evaluation_v2::service_client::ServiceClient;
use ripcord_tests::server::Setup;
use ripcord_tests::{SOON, eventually, flags};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::Channel;

use crate::grpc::request;
use crate::node::Node;
use crate::trial;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_collector_gets_evaluations_with_the_attributes_of_feature_flags", evaluations),
        trial("a_collector_that_is_away_costs_spans_alone", away),
    ]
}

/// A span: its name, its trace, its attributes as text.
#[derive(Debug, Clone)]
struct Span {
    name: String,
    trace: String,
    attributes: BTreeMap<String, String>,
}

/// Bytes as hexadecimal digits.
struct Digits<'a>(&'a [u8]);

impl std::fmt::Display for Digits<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

impl Collector {
    /// Listens until the test ends; where.
    async fn start() -> Result<(Self, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (collector, url) = (Self::default(), format!("http://{}", listener.local_addr()?));
        let keeping = collector.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(keeping.clone().serve(stream));
            }
        });
        Ok((collector, url))
    }

    async fn serve(self, mut stream: TcpStream) -> Result<()> {
        let mut bytes = Vec::new();
        loop {
            while end_of_request(&bytes).is_none() {
                if stream.read_buf(&mut bytes).await? == 0 {
                    return Ok(());
                }
            }
            let (head, end) = end_of_request(&bytes).context("a request")?;
            let rest = bytes.split_off(end);
            let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
            ensure!(text.starts_with("POST /v1/traces "), "{text}");
            self.keep(ExportTraceServiceRequest::decode(&bytes[head..])?);
            bytes = rest;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
                .await?;
        }
    }

    fn keep(&self, sent: ExportTraceServiceRequest) {
        let spans = sent
            .resource_spans
            .into_iter()
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans);
        let spans = spans.map(|span| Span {
            name: span.name,
            trace: Digits(&span.trace_id).to_string(),
            attributes: span
                .attributes
                .into_iter()
                .filter_map(|pair| match pair.value?.value? {
                    Wire::StringValue(text) => Some((pair.key, text)),
                    other => Some((pair.key, format!("{other:?}"))),
                })
                .collect(),
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(spans);
    }

    /// The first span for which this holds, once there is one.
    async fn span(&self, what: &str, wanted: impl Fn(&Span) -> bool) -> Result<Span> {
        let found = || self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|span| wanted(span)).cloned();
        eventually(SOON, what, || std::future::ready(found().context("not yet"))).await
    }
}

/// Where the head of the first request ends, and where the request ends, once it is there whole.
fn end_of_request(bytes: &[u8]) -> Option<(usize, usize)> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length: usize = text.lines().find_map(|line| line.strip_prefix("content-length: "))?.trim().parse().ok()?;
    (bytes.len() >= head + length).then_some((head, head + length))
}

async fn evaluations() -> Result<()> {
    let (collector, url) = Collector::start().await?;
    let setup = Setup::embedded()
        .argument("--otlp-endpoint")
        .argument(url)
        .variable("OTEL_BSP_SCHEDULE_DELAY", "50");
    let node = Node::started_with(setup).await?;
    node.api.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    collector
        .span("the request that put the flag", |span| {
            span.name == "request" && span.attributes.contains_key("request_id")
        })
        .await?;
    let ask = |path: &str| {
        let request = node
            .api
            .request(Method::POST, path)
            .header("traceparent", PARENT)
            .json(&json!({"context": {"targetingKey": "user-7"}}));
        async move { ripcord_tests::api::read(request).await }
    };
    ask("/ofrep/v1/evaluate/flags/plain?environment=production").await?.ok()?;
    let single = collector
        .span("a single evaluation", |span| {
            span.attributes.get("feature_flag.key").is_some_and(|key| key == "plain")
        })
        .await?;
    ensure!(single.trace == TRACE && single.name == "/ofrep/v1/evaluate/flags/{key}", "{single:?}");
    for (name, value) in [
        ("feature_flag.provider.name", "ripcord"),
        ("feature_flag.context.id", "user-7"),
        ("feature_flag.result.variant", "on"),
        ("feature_flag.result.reason", "static"),
        ("feature_flag.version", "1:1"),
        ("env", "production"),
    ] {
        ensure!(single.attributes.get(name).is_some_and(|own| own == value), "{name} of {single:?}");
    }
    ensure!(ask("/ofrep/v1/evaluate/flags/missing?environment=production").await?.status == 404);
    let missing = collector
        .span("an evaluation that fails", |span| {
            span.attributes.get("feature_flag.key").is_some_and(|key| key == "missing")
        })
        .await?;
    ensure!(missing.attributes.get("error.type").is_some_and(|kind| kind == "flag_not_found"), "{missing:?}");
    ask("/ofrep/v1/evaluate/flags?environment=production").await?.ok()?;
    let bulk = collector.span("a bulk evaluation", |span| span.name == "/ofrep/v1/evaluate/flags").await?;
    ensure!(bulk.attributes.contains_key("feature_flag.version") && bulk.trace == TRACE, "{bulk:?}");
    let mut client = ServiceClient::new(Channel::from_shared(Node::endpoint(node.evaluation))?.connect().await?);
    let message = ResolveBooleanRequest {
        flag_key: "plain".to_owned(),
        context: None,
    };
    client
        .resolve_boolean(request(message, Some(node.api.key()), Some("source=production")))
        .await?;
    let call = collector.span("a call by gRPC", |span| span.name == "flagd.evaluation").await?;
    ensure!(
        call.attributes.get("feature_flag.result.variant").is_some_and(|variant| variant == "on"),
        "{call:?}"
    );
    Ok(())
}

async fn away() -> Result<()> {
    let nowhere = format!("http://127.0.0.1:{}", ripcord_tests::ports::free());
    let setup = Setup::embedded()
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", &nowhere)
        .variable("OTEL_BSP_SCHEDULE_DELAY", "50");
    let mut node = Node::started_with(setup).await?;
    node.api.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    let told = || node.server.output().contains("collector_unreachable").then_some(()).context("not yet");
    eventually(SOON, "the log says so", || std::future::ready(told())).await?;
    node.api.kill_flag("plain").await?;
    tokio::task::block_in_place(|| node.server.stop())?;
    ensure!(node.server.output().matches("collector_unreachable").count() == 1, "once");
    Ok(())
}
