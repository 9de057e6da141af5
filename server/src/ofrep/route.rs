//! The endpoints and their metrics.

use actix_http::Request;
use actix_web::http::{Method, StatusCode};
use metrics::Histogram;

use crate::http::request_tracing::method_label;
use crate::telemetry::names;

pub(super) const ROOT: &str = "/ofrep/v1/";
pub(super) const FLAGS: &str = "evaluate/flags";

/// The endpoint of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Bulk,
    /// One flag, which the path names.
    Single,
    /// The change stream.
    Events,
    /// A browser's CORS preflight.
    Preflight,
    /// A path of this protocol with another method; these are allowed.
    Misused(&'static str),
}

impl Route {
    /// `None` if the request is not OFREP.
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

    /// The name in metrics and spans.
    pub(super) const fn template(self) -> &'static str {
        match self {
            Self::Single => "/ofrep/v1/evaluate/flags/{key}",
            Self::Bulk => "/ofrep/v1/evaluate/flags",
            Self::Events => "/ofrep/v1/events",
            Self::Preflight | Self::Misused(_) => "/ofrep/v1",
        }
    }
}

/// The histograms of the most frequent responses, looked up once.
pub(super) struct EvaluationMetrics {
    pub(super) single: Histogram,
    pub(super) bulk: Histogram,
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

/// The histogram of requests with these labels.
pub(super) fn histogram(method: &Method, route: Route, status: StatusCode) -> Histogram {
    let (method, status) = (method_label(method), status.as_str().to_owned());
    metrics::histogram!(names::HTTP_SECONDS, "method" => method, "route" => route.template(), "status" => status)
}
