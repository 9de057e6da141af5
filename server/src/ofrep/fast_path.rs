//! In front of the web framework: what this protocol answers goes through no router and no middleware, so that an evaluation costs
//! little more than reading and writing it.

use std::sync::Arc;
use std::time::Instant;

use actix_http::{Request, Response};
use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::http::{Method, StatusCode};
use metrics::Histogram;
use percent_encoding::percent_decode_str;
use tracing::Instrument as _;

use super::error::OfrepError;
use super::{Service, bulk, cors, evaluate, events};
use crate::http::request_tracing::{HEADER, RequestId};
use crate::remote::trace;
use crate::telemetry::export::Parent;
use crate::telemetry::names;

const ROOT: &str = "/ofrep/v1/";
const FLAGS: &str = "evaluate/flags";

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// All flags.
    Bulk,
    /// One flag, which the path names.
    Single,
    /// What tells of changes.
    Events,
    /// A browser asks what a page may do.
    Preflight,
    /// A path of this protocol, called by another method than this one.
    Misused(&'static str),
}

impl Route {
    /// None where it is for somebody else.
    pub(super) fn of(request: &Request) -> Option<Self> {
        let rest = request.path().strip_prefix(ROOT)?;
        let (route, method) = match rest.strip_prefix(FLAGS) {
            Some("") => (Self::Bulk, Method::POST),
            Some(key) if key.len() > 1 && key.starts_with('/') && !key.contains("//") => (Self::Single, Method::POST),
            None if rest == "events" => (Self::Events, Method::GET),
            Some(_) | None => return None,
        };
        Some(match request.method() {
            own if *own == method => route,
            own if *own == Method::OPTIONS => Self::Preflight,
            _ if route == Self::Events => Self::Misused("GET, OPTIONS"),
            _ => Self::Misused("POST, OPTIONS"),
        })
    }

    /// As metrics and spans name it.
    const fn template(self) -> &'static str {
        match self {
            Self::Single => "/ofrep/v1/evaluate/flags/{key}",
            Self::Bulk => "/ofrep/v1/evaluate/flags",
            Self::Events => "/ofrep/v1/events",
            Self::Preflight | Self::Misused(_) => "/ofrep/v1",
        }
    }
}

/// Counters of what is answered most.
pub(super) struct EvaluationMetrics {
    single: Histogram,
    bulk: Histogram,
}

impl std::fmt::Debug for EvaluationMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EvaluationMetrics")
    }
}

impl EvaluationMetrics {
    pub(super) fn new() -> Self {
        Self {
            single: histogram(&Method::POST, Route::Single, StatusCode::OK),
            bulk: histogram(&Method::POST, Route::Bulk, StatusCode::OK),
        }
    }
}

fn histogram(method: &Method, route: Route, status: StatusCode) -> Histogram {
    let (method, status) = (method.as_str().to_owned(), status.as_str().to_owned());
    metrics::histogram!(names::HTTP_SECONDS, "method" => method, "route" => route.template(), "status" => status)
}

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
            Route::Preflight => cors::preflight(),
            Route::Misused(allow) => misused(allow),
        }
    };
    let mut response = answering.instrument(span.clone()).await;
    cors::allow(&head.headers, response.headers_mut());
    finish(response.headers_mut(), &id);
    span.in_scope(|| account(&service, route, &head.method, response.status(), started));
    response.into()
}

/// What answers have in common. No page shows them, so that they need none of a page's headers.
fn finish(headers: &mut HeaderMap, id: &RequestId) {
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert(HEADER, value);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// The flag that a path names.
fn key(path: &str) -> Result<std::borrow::Cow<'_, str>, OfrepError> {
    let (_, key) = path.split_at(ROOT.len() + FLAGS.len() + 1);
    percent_decode_str(key)
        .decode_utf8()
        .map_err(|_| OfrepError::request("PARSE_ERROR", "The flag's key in the path is no UTF-8."))
}

fn misused(allow: &'static str) -> HttpResponse {
    let details = format!("This path is called by {allow}.");
    let mut response = super::error::without_flag(StatusCode::METHOD_NOT_ALLOWED, &details);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// Counts and logs. An evaluation is a read, whatever its method; there are too many of them to log each.
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
