//! OFREP is served in front of the web framework, without router and middleware, so that an evaluation costs little more than reading
//! the request and writing the response.

use std::sync::Arc;
use std::time::Instant;

use actix_http::{Request, Response};
use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use tracing::Instrument as _;

use super::error::OfrepError;
use super::route::{FLAGS, ROOT, Route, histogram};
use super::service::Service;
use super::{bulk, cors, evaluate, events};
use crate::http::request_id::{HEADER, RequestId};
use crate::remote::trace;
use crate::telemetry::export::Parent;

/// Answers a request.
pub(super) async fn answer(service: Arc<Service>, route: Route, mut request: Request) -> Response<BoxBody> {
    let started = Instant::now();
    let payload = request.take_payload();
    let head = request.head();
    let id = RequestId::of(&head.headers);
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let parent = Parent {
        traceparent: text("traceparent"),
        tracestate: text("tracestate"),
    };
    let span = trace::span(route.template(), parent);
    span.record("request_id", id.as_str());
    let answering = async {
        match route {
            Route::Bulk => bulk::evaluate(head, payload, &service).await,
            Route::Single => match key(request.path()) {
                Ok(key) => evaluate::evaluate(head, &key, payload, &service).await,
                Err(error) => error.respond(None),
            },
            Route::Events => events::listen(head, &service),
            Route::Preflight => cors::preflight(&head.headers),
            Route::Misused(allow) => misused(allow),
        }
    };
    let mut response = answering.instrument(span.clone()).await;
    cors::allow(&head.headers, response.headers_mut());
    finish(response.headers_mut(), &id);
    span.in_scope(|| account(&service, route, &head.method, response.status(), started));
    response.into()
}

/// The headers of every response. No page displays these, so they need none of the headers that protect pages.
fn finish(headers: &mut HeaderMap, id: &RequestId) {
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert(HEADER, value);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// The flag key in the path.
fn key(path: &str) -> Result<std::borrow::Cow<'_, str>, OfrepError> {
    let (_, key) = path.split_at(ROOT.len() + FLAGS.len() + 1);
    percent_decode_str(key)
        .decode_utf8()
        .map_err(|_| OfrepError::request("PARSE_ERROR", "The flag key in the path is not UTF-8."))
}

fn misused(allow: &'static str) -> HttpResponse {
    let details = format!("This path allows {allow}.");
    let mut response = super::error::without_flag(StatusCode::METHOD_NOT_ALLOWED, &details);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// Records metrics and logs. Evaluations are reads, and too frequent to log at info level.
fn account(service: &Service, route: Route, method: &Method, status: StatusCode, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    match route {
        Route::Single if status == StatusCode::OK => service.metrics.single.record(seconds),
        Route::Bulk if status == StatusCode::OK => service.metrics.bulk.record(seconds),
        Route::Single | Route::Bulk | Route::Events | Route::Preflight | Route::Misused(_) => histogram(method, route, status).record(seconds),
    }
    let (status, ms) = (status.as_u16(), seconds * 1_000.0);
    if status >= 500 {
        tracing::warn!(status, ms, "answered");
    } else {
        tracing::debug!(status, ms, "answered");
    }
}
