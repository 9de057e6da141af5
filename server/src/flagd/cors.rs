//! CORS of the evaluation listener: which pages may call it.
//!
//! The listener may lend its own key to callers that send none, so unlike OFREP it is closed to pages until an origin is allowed.

use tonic::body::Body;
use tonic::codegen::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ORIGIN, VARY,
};
use tonic::codegen::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

/// Response headers that a page may read.
const READ: HeaderValue = HeaderValue::from_static("grpc-status, grpc-message, grpc-status-details-bin, grpc-retry-pushback-ms");

/// The origins of pages that may call, as settings name them; `*` is any.
#[derive(Debug, Default)]
pub(super) struct AllowedOrigins(Vec<String>);

/// An origin that may call.
#[derive(Debug, Clone)]
pub(super) struct GrantedOrigin(HeaderValue);

impl AllowedOrigins {
    pub(super) const fn new(origins: Vec<String>) -> Self {
        Self(origins)
    }

    /// The origin of this request, if it has one that may call.
    pub(super) fn granted(&self, headers: &HeaderMap) -> Option<GrantedOrigin> {
        let origin = headers.get(ORIGIN)?;
        let allowed = self.0.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes());
        allowed.then(|| GrantedOrigin(origin.clone()))
    }
}

impl GrantedOrigin {
    /// The answer to a preflight; nothing if the request is none.
    pub(super) fn preflight(&self, request: &Request<Body>) -> Option<Response<Body>> {
        if request.method() != Method::OPTIONS {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, GET, OPTIONS"));
        // What a page sends beside its key (tracing, vendors' headers) is no business of this server.
        let asked = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.cloned().unwrap_or(HeaderValue::from_static("content-type")));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
        self.grant(response.headers_mut());
        Some(response)
    }

    /// Lets the page read a response.
    pub(super) fn grant(&self, headers: &mut HeaderMap) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, self.0.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, READ);
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
}
