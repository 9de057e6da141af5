//! The middleware around every request: its id, tracing span, duration and security headers. It turns every error that leaves into a
//! problem document that carries the request id.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};
use tracing::Instrument as _;
use tracing::field::Empty;

use super::error::{self, ApiError};
use super::request_id::{self, RequestId};
use crate::telemetry::export::{self, Parent};
use crate::telemetry::names;

/// The middleware. Handlers find the [`RequestId`] in the request's extensions and record `env`, `actor`, `flag` and `revision` in the
/// span as they learn them.
pub async fn around(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!(
        "request",
        request_id = id.as_str(),
        method = method_label(request.method()),
        path = truncated(request.path()),
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

/// Adds the request id to our own errors, and gives the framework's errors a problem document.
fn as_problem(response: ServiceResponse<BoxBody>, id: &RequestId) -> ServiceResponse<BoxBody> {
    let own = response.response().error().and_then(|error| error.as_error::<ApiError>().cloned());
    // JSON is never the framework's: `/readyz`, for example, answers 503 with its own JSON.
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

/// The method as a metric label: one of a closed set, since anyone can send any word as a method and each new label value would
/// stay in memory for good.
pub fn method_label(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("OTHER")
}

/// As much of a path as a log line carries: a request without a key must not be able to fill the log.
fn truncated(path: &str) -> &str {
    path.get(..path.floor_char_boundary(LOGGED_PATH)).unwrap_or_default()
}

/// Bytes of a path that a log line carries, at most.
const LOGGED_PATH: usize = 512;

/// Records metrics and logs. Server errors are logged as warnings; client errors only concern the client.
fn account(response: &ServiceResponse<BoxBody>, started: Instant) {
    let request = response.request();
    let status = response.status();
    let elapsed = started.elapsed();
    let labels = [
        ("method", method_label(request.method()).to_owned()),
        ("route", request.match_pattern().unwrap_or_else(|| "none".to_owned())),
        ("status", status.as_str().to_owned()),
    ];
    metrics::histogram!(names::HTTP_SECONDS, &labels).record(elapsed.as_secs_f64());
    let (status, ms) = (status.as_u16(), elapsed.as_secs_f64() * 1_000.0);
    // Anyone can send requests without a valid key or path; they must not fill the log.
    let is_anonymous = status == 401 || request.match_pattern().is_none();
    if status >= 500 {
        tracing::warn!(status, ms, "answered");
    } else if request.method().is_safe() || is_anonymous {
        tracing::debug!(status, ms, "answered");
    } else {
        tracing::info!(status, ms, "answered");
    }
}

fn finish(headers: &mut HeaderMap, id: &RequestId) {
    // Only a mark for the compression to leave this response alone.
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "identity") {
        headers.remove(header::CONTENT_ENCODING);
    }
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert(request_id::HEADER, value);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_method_is_one_label() {
        let made_up = |text: &str| Method::from_bytes(text.as_bytes()).unwrap();
        assert_eq!(method_label(&Method::PATCH), "PATCH");
        assert_eq!(method_label(&made_up(&"A".repeat(30_000))), "OTHER");
        assert_eq!(method_label(&made_up("get")), "OTHER");
    }

    #[test]
    fn a_long_path_is_cut_between_characters() {
        let path = format!("/{}", "ä".repeat(1_000));
        assert!(truncated(&path).len() <= LOGGED_PATH);
        assert_eq!(truncated("/v1/flags"), "/v1/flags");
    }
}
