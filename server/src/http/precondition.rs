//! `If-Match` and `If-None-Match`: what must not have changed since the caller read it.
//!
//! The ETag of a thing is the position of its last change, `"epoch:revision"`; that of an environment is its own position. A
//! record has no position: its ETag is its digest.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpRequest};
use ripcord_proto::digest::Digest;
use ripcord_proto::{Position, ValidationErrors};

use super::error::ApiError;

/// The condition of a write on a flag, segment or environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// No condition.
    Unconditional,
    /// It must be at this position.
    At(Position),
    /// It must exist.
    Present,
    /// It must not exist.
    Absent,
}

/// The condition of a write on a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordCondition {
    /// No condition.
    Unconditional,
    /// It must have this digest.
    Is(Digest),
    /// It must exist.
    Present,
    /// It must not exist.
    Absent,
}

impl FromRequest for Condition {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request, etag).map(|expectation| match expectation {
            Expectation::Nothing => Self::Unconditional,
            Expectation::Match(position) => Self::At(position),
            Expectation::Presence => Self::Present,
            Expectation::Absence => Self::Absent,
        }))
    }
}

impl FromRequest for RecordCondition {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request, record_etag).map(|expectation| match expectation {
            Expectation::Nothing => Self::Unconditional,
            Expectation::Match(digest) => Self::Is(digest),
            Expectation::Presence => Self::Present,
            Expectation::Absence => Self::Absent,
        }))
    }
}

/// Both headers together.
enum Expectation<T> {
    Nothing,
    Match(T),
    Presence,
    Absence,
}

fn read<T>(request: &HttpRequest, etag: impl Fn(&HeaderValue) -> Result<T, ValidationErrors>) -> Result<Expectation<T>, ApiError> {
    let header = |name: &HeaderName| request.headers().get(name);
    match (header(&header::IF_MATCH), header(&header::IF_NONE_MATCH)) {
        (None, None) => Ok(Expectation::Nothing),
        (Some(value), None) if value.as_bytes().trim_ascii() == b"*" => Ok(Expectation::Presence),
        (Some(value), None) => etag(value)
            .map(Expectation::Match)
            .map_err(|faults| ApiError::bad_parameter("If-Match", faults)),
        (None, Some(value)) if value.as_bytes().trim_ascii() == b"*" => Ok(Expectation::Absence),
        (None, Some(_)) => {
            let problem = "on a write, only * is possible, which means that it must not exist yet";
            Err(ApiError::bad_parameter("If-None-Match", ValidationErrors::one("", problem)))
        }
        (Some(_), Some(_)) => Err(ApiError::bad_parameter(
            "If-Match",
            ValidationErrors::one("", "contradicts If-None-Match; send only one of them"),
        )),
    }
}

/// Parses the ETag of a thing.
fn etag(value: &HeaderValue) -> Result<Position, ValidationErrors> {
    let text = value.to_str().unwrap_or_default().trim();
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let wrong = || ValidationErrors::one("", format!("invalid ETag {text:?}; expected a quoted position such as \"1:42\""));
    inner.ok_or_else(wrong)?.parse().map_err(|_| wrong())
}

/// Parses the ETag of a record.
fn record_etag(value: &HeaderValue) -> Result<Digest, ValidationErrors> {
    let text = value.to_str().unwrap_or_default().trim();
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let wrong = || ValidationErrors::one("", format!("invalid ETag {text:?}; expected 64 hexadecimal digits in quotes"));
    inner.ok_or_else(wrong)?.parse().map_err(|_| wrong())
}

/// The ETag of a thing at `position`.
pub fn etag_of(position: Position) -> String {
    format!("\"{position}\"")
}

/// Whether the caller has this state already (`If-None-Match` on a read).
pub fn has_already(request: &HttpRequest, position: Position) -> bool {
    let own = etag_of(position);
    let given = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    given.is_some_and(|given| {
        given
            .split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == own)
    })
}
