//! What OFREP answers where it has no answer.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError as _};

use crate::http::ApiError;
use crate::remote::FlagMetadata;

/// A request that cannot be answered, as the protocol spells it.
#[derive(Debug)]
pub(super) enum OfrepError {
    /// The request itself: 400.
    Request {
        /// What is wrong, in the protocol's words.
        code: &'static str,
        /// The same for a person.
        details: String,
    },
    /// The body is too large: 413.
    TooLarge(usize),
    /// Anything that has nothing to do with flags: no valid key, not allowed, not ready.
    Refused(ApiError),
}

/// An error body: exactly these members.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorBody<'a> {
    /// The flag, where the error is one of a flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<&'a str>,
    /// The code.
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
            Self::TooLarge(most) => without_flag(StatusCode::PAYLOAD_TOO_LARGE, &format!("The body is larger than {most} bytes.")),
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

/// The headers of a refusal that a client acts upon.
fn kept(name: &HeaderName) -> bool {
    *name == actix_web::http::header::RETRY_AFTER || *name == actix_web::http::header::WWW_AUTHENTICATE
}

/// An error that is of no flag.
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

/// The same of what was written already.
pub(super) fn respond(status: StatusCode, written: serde_json::Result<Vec<u8>>) -> HttpResponse {
    match written {
        Ok(body) => HttpResponse::build(status).content_type("application/json").body(body),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            HttpResponse::InternalServerError()
                .content_type("application/json")
                .body(r#"{"errorDetails":"The answer could not be written."}"#)
        }
    }
}
