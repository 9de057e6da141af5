//! Around every request: its id, its span, its time; and every error that leaves is a problem document that carries the id.

use std::fmt;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};
use tracing::Instrument as _;
use tracing::field::Empty;

use super::error::{self, ApiError};
use crate::telemetry::export::{self, Parent};
use crate::telemetry::names;

/// The header that carries the id, in and out.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Characters of an id that a caller may choose, at most.
const LONGEST: usize = 128;

/// What a request is found by in the logs: the caller's, where it sent a fit one, else made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// Of a request with these headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let fit = |text: &&str| !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
        match headers.get(HEADER).and_then(|value| value.to_str().ok()).filter(fit) {
            Some(given) => Self(given.to_owned()),
            None => Self(format!("{:016x}", rand::random::<u64>())),
        }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The middleware. What is inside finds the [`RequestId`] in the request's extensions, and fills in `env`, `actor`, `flag` and
/// `revision` of the span as it learns them.
pub async fn around(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!(
        "request",
        request_id = id.as_str(),
        method = request.method().as_str(),
        path = request.path(),
        env = Empty,
        actor = Empty,
        flag = Empty,
        revision = Empty,
    );
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let (traceparent, tracestate) = (text("traceparent"), text("tracestate"));
    export::follow(&span, Parent { traceparent, tracestate });
    let answered = next.call(request).instrument(span.clone()).await;
    let mut response = answered?.map_into_boxed_body();
    if response.status().is_client_error() || response.status().is_server_error() {
        response = as_problem(response, &id);
    }
    let _entered = span.enter();
    account(&response, started);
    finish(response.headers_mut(), &id);
    Ok(response)
}

/// Gives a refusal its request id, and an error that the framework made by itself its problem document.
fn as_problem(response: ServiceResponse<BoxBody>, id: &RequestId) -> ServiceResponse<BoxBody> {
    let own = response.response().error().and_then(|error| error.as_error::<ApiError>().cloned());
    // The framework makes no JSON by itself: `/readyz` says in JSON of its own why a node is not ready.
    let is_ours = |kind: &HeaderValue| kind == error::MEDIA_TYPE || kind.as_bytes().starts_with(b"application/json");
    let is_ours = response.headers().get(header::CONTENT_TYPE).is_some_and(is_ours);
    let refusal = match own {
        Some(refusal) => Some(refusal),
        None if is_ours => None,
        None => error::of_status(response.status(), response.request().path()),
    };
    match refusal {
        Some(refusal) => {
            let rendered = refusal.render(Some(id));
            let (request, replaced) = response.into_parts();
            let mut rendered = ServiceResponse::new(request, rendered);
            if let Some(allow) = replaced.headers().get(header::ALLOW) {
                rendered.headers_mut().insert(header::ALLOW, allow.clone());
            }
            rendered
        }
        None => response,
    }
}

/// Counts and logs. Errors of the server are for its operators; those of callers are told to the callers.
fn account(response: &ServiceResponse<BoxBody>, started: Instant) {
    let request = response.request();
    let status = response.status();
    let elapsed = started.elapsed();
    let labels = [
        ("method", request.method().as_str().to_owned()),
        ("route", request.match_pattern().unwrap_or_else(|| "none".to_owned())),
        ("status", status.as_str().to_owned()),
    ];
    metrics::histogram!(names::HTTP_SECONDS, &labels).record(elapsed.as_secs_f64());
    let (status, ms) = (status.as_u16(), elapsed.as_secs_f64() * 1_000.0);
    if status >= 500 {
        tracing::warn!(status, ms, "answered");
    } else if request.method().is_safe() {
        tracing::debug!(status, ms, "answered");
    } else {
        tracing::info!(status, ms, "answered");
    }
}

fn finish(headers: &mut HeaderMap, id: &RequestId) {
    // It only tells the compression to leave an answer alone.
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "identity") {
        headers.remove(header::CONTENT_ENCODING);
    }
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert(HEADER, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}
