//! Errors in the format of OFREP.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError as _};
use ripcord_proto::text::grouped_len;

use crate::access::AccessError;
use crate::http::ApiError;
use crate::remote::FlagMetadata;

/// Why a request fails.
#[derive(Debug)]
pub(super) enum OfrepError {
    /// The request itself: 400.
    Request {
        /// The protocol's error code.
        code: &'static str,
        details: String,
    },
    /// The body is too large: 413.
    TooLarge(usize),
    /// An error unrelated to flags: no valid key, not allowed, not ready.
    Refused(ApiError),
}

/// An error body: exactly these members.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorBody<'a> {
    /// The flag that the error is about, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_code: Option<&'a str>,
    /// Never empty.
    pub(super) error_details: &'a str,
    /// Best effort.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<FlagMetadata<'a>>,
}

impl From<ApiError> for OfrepError {
    fn from(refusal: ApiError) -> Self {
        Self::Refused(refusal)
    }
}

impl From<AccessError> for OfrepError {
    fn from(error: AccessError) -> Self {
        Self::Refused(error.into())
    }
}

impl OfrepError {
    /// The request is wrong.
    pub(super) fn request(code: &'static str, details: impl Into<String>) -> Self {
        Self::Request { code, details: details.into() }
    }

    /// The response; `key` is the requested flag, if there is one.
    pub(super) fn respond(&self, key: Option<&str>) -> HttpResponse {
        match self {
            Self::Request { code, details } => json(
                StatusCode::BAD_REQUEST,
                &ErrorBody {
                    key,
                    error_code: Some(code),
                    error_details: details,
                    metadata: None,
                },
            ),
            // A key of several environments, or an environment that is unknown: without a code, clients would read "invalid context" or "no
            // such flag".
            Self::Refused(refusal) if [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND].contains(&refusal.status_code()) => json(
                StatusCode::BAD_REQUEST,
                &ErrorBody {
                    key,
                    error_code: Some("GENERAL"),
                    error_details: &refusal.problem().detail,
                    metadata: None,
                },
            ),
            Self::TooLarge(most) => without_flag(StatusCode::PAYLOAD_TOO_LARGE, &format!("The body is larger than {} bytes.", grouped_len(*most))),
            Self::Refused(refusal) => {
                let mut response = without_flag(refusal.status_code(), &refusal.problem().detail);
                for (name, value) in refusal.error_response().headers() {
                    if kept(name) {
                        response.headers_mut().insert(name.clone(), HeaderValue::clone(value));
                    }
                }
                response
            }
        }
    }
}

/// The headers of an error that clients use.
fn kept(name: &HeaderName) -> bool {
    *name == actix_web::http::header::RETRY_AFTER || *name == actix_web::http::header::WWW_AUTHENTICATE
}

/// An error that is not about a flag.
pub(super) fn without_flag(status: StatusCode, details: &str) -> HttpResponse {
    json(
        status,
        &ErrorBody {
            key: None,
            error_code: None,
            error_details: details,
            metadata: None,
        },
    )
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: &impl serde::Serialize) -> HttpResponse {
    respond(status, serde_json::to_vec(body))
}

/// A JSON answer that is written already.
pub(super) fn respond<E: std::fmt::Display>(status: StatusCode, written: Result<Vec<u8>, E>) -> HttpResponse {
    match written {
        Ok(body) => HttpResponse::build(status).content_type("application/json").body(body),
        Err(error) => {
            tracing::error!(%error, "response could not be serialized");
            HttpResponse::InternalServerError()
                .content_type("application/json")
                .body(r#"{"errorDetails":"The response could not be serialized."}"#)
        }
    }
}
