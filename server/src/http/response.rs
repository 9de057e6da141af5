//! Responses: JSON, with an ETag and, while the store is away, `Ripcord-Stale`.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Responder};
use ripcord_proto::Position;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::Code;

use super::error::ApiError;
use super::precondition::etag_of;

/// Marks a response that was read while the store is unreachable, with the time since when.
pub const STALE: HeaderName = HeaderName::from_static("ripcord-stale");

/// A successful response.
#[derive(Debug)]
pub struct ApiResponse {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

impl ApiResponse {
    /// 200 with this body.
    pub fn ok(body: &impl serde::Serialize) -> Result<Self, ApiError> {
        Self::json(StatusCode::OK, body)
    }

    /// This status with this body.
    pub fn json(status: StatusCode, body: &impl serde::Serialize) -> Result<Self, ApiError> {
        let body = serde_json::to_vec(body).map_err(|error| ApiError::new(Code::Internal, format!("The response could not be serialized: {error}.")))?;
        Ok(Self {
            status,
            headers: Vec::new(),
            body,
        })
    }

    /// 304: the caller has this state already.
    pub fn unchanged(position: Position) -> Self {
        let reply = Self {
            status: StatusCode::NOT_MODIFIED,
            headers: Vec::new(),
            body: Vec::new(),
        };
        reply.etag(position)
    }

    /// With a header. An invalid value is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// With the ETag of a thing that last changed at `position`.
    #[must_use]
    pub fn etag(self, position: Position) -> Self {
        // With `no-store`, a cache could not use the ETag.
        self.header(header::ETAG, &etag_of(position)).header(header::CACHE_CONTROL, "private, no-cache")
    }

    /// With the ETag of a record.
    #[must_use]
    pub fn record_etag(self, digest: &Digest) -> Self {
        self.header(header::ETAG, &format!("\"{digest}\""))
            .header(header::CACHE_CONTROL, "private, no-cache")
    }

    /// Marked as stale since `since`, if given.
    #[must_use]
    pub fn stale(self, since: Option<jiff::Timestamp>) -> Self {
        match since {
            Some(since) => self.header(STALE, &format!("since={since}")),
            None => self,
        }
    }
}

impl Responder for ApiResponse {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        for header in self.headers {
            response.insert_header(header);
        }
        if self.status == StatusCode::NOT_MODIFIED {
            return response.finish();
        }
        response.content_type("application/json").body(self.body)
    }
}
