//! Spans to an OpenTelemetry collector: OTLP over HTTP, in batches, from a thread of their own. If the collector is down or slow,
//! spans are lost and nothing else is affected.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use percent_encoding::percent_decode_str;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use tokio::runtime::Handle;
use tracing::{Level, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use super::error::TelemetryError;
use crate::outbound::Outbound;
use crate::secret::{Secret, without_password};

/// The path of the collector for spans.
const PATH: &str = "/v1/traces";
/// How long a collector may take for a batch.
const PATIENCE: Duration = Duration::from_secs(10);
/// The variable that names a service to OpenTelemetry.
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

/// Sends spans to a collector.
#[derive(Debug)]
pub struct Exporter(SdkTracerProvider);

impl Exporter {
    /// Sends the spans of this process to the collector at `endpoint`, its base URL (`http://127.0.0.1:4318`). OpenTelemetry's own
    /// environment variables for headers, sampling, batches and the resource apply. `outbound` says what may be called; `runtime` does the
    /// sending.
    ///
    /// # Errors
    /// The URL cannot be used.
    pub fn start(endpoint: &Secret, outbound: &Outbound, runtime: Handle) -> Result<Self, TelemetryError> {
        // Neither an error nor a log line of the exporter may show the password.
        let shown = without_password(endpoint.expose());
        let unusable = |why: String| TelemetryError::Export(shown.clone(), why);
        let headers = credentials(endpoint.expose()).map_err(|error| unusable(error.to_string()))?;
        let client = outbound
            .builder("ripcord-otlp")
            .and_then(|builder| builder.timeout(PATIENCE).default_headers(headers).build());
        let client = client.map_err(|error| unusable(error.to_string()))?;
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(format!("{}{PATH}", shown.trim_end_matches('/')))
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        let exporter = OnRuntime {
            exporter,
            runtime,
            is_failing: AtomicBool::new(false),
        };
        let resource = Resource::builder();
        let resource = if std::env::var_os(SERVICE_NAME).is_some() {
            resource
        } else {
            resource.with_service_name("ripcord")
        };
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build());
        Ok(Self(provider.build()))
    }

    /// Collects the spans of requests and of their work, and of every remote evaluation.
    pub fn layer<S: Subscriber + for<'s> LookupSpan<'s>>(&self) -> impl Layer<S> + use<S> {
        let spans = Targets::new()
            .with_target("ripcord_server", Level::INFO)
            .with_target("ripcord_server::remote", Level::DEBUG);
        tracing_opentelemetry::layer().with_tracer(self.0.tracer("ripcord")).with_filter(spans)
    }

    /// Sends the remaining spans. Blocks for a few seconds at most.
    pub fn finish(&self) {
        if let Err(error) = self.0.shutdown_with_timeout(Duration::from_secs(3)) {
            tracing::warn!(%error, "cannot send the last spans");
        }
    }
}

/// The user and password of a URL as a header.
fn credentials(url: &str) -> Result<HeaderMap, Box<dyn std::error::Error>> {
    let mut headers = HeaderMap::new();
    let url: reqwest::Url = url.parse()?;
    if let Some(password) = url.password() {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let pair = STANDARD.encode(format!("{}:{}", decoded(url.username()), decoded(password)));
        let mut value = HeaderValue::try_from(format!("Basic {pair}"))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// Batches are sent from a plain thread, and HTTP needs a runtime.
#[derive(Debug)]
struct OnRuntime {
    exporter: opentelemetry_otlp::SpanExporter,
    runtime: Handle,
    is_failing: AtomicBool,
}

impl SpanExporter for OnRuntime {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let mut sending = Box::pin(self.exporter.export(batch));
        let sent = poll_fn(|context| {
            let _within = self.runtime.enter();
            sending.as_mut().poll(context)
        })
        .await;
        let was_failing = self.is_failing.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(error) if !was_failing => {
                tracing::warn!(event = "collector_unreachable", %error, "cannot send spans to the collector; dropping them until it is reachable");
            }
            Ok(()) if was_failing => tracing::info!("sending spans to the collector again"),
            Err(_) | Ok(()) => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// The trace context of a caller (W3C Trace Context).
#[derive(Debug, Clone, Copy, Default)]
pub struct Parent<'a> {
    /// The header `traceparent`.
    pub traceparent: Option<&'a str>,
    /// The header `tracestate`.
    pub tracestate: Option<&'a str>,
}

impl Extractor for Parent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.traceparent,
            "tracestate" => self.tracestate,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

/// Makes a span part of the caller's trace, if there is one and spans are collected.
pub fn follow(span: &Span, parent: Parent<'_>) {
    if parent.traceparent.is_none() || span.is_disabled() {
        return;
    }
    let context = TraceContextPropagator::new().extract(&parent);
    if context.span().span_context().is_valid() {
        // Fails only if spans are not collected.
        let _ = span.set_parent(context);
    }
}
