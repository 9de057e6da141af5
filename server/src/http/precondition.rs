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

/// What the caller's headers ask of the thing that a write is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Unconditional,
    /// It must be at this position.
    At(Position),
    /// It must not exist.
    Absent,
}

/// What the caller's headers ask of the record that a write is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordCondition {
    /// Nothing.
    Unconditional,
    /// It must be the one of this digest.
    Is(Digest),
    /// It must not exist.
    Absent,
}

impl FromRequest for Condition {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request, etag).map(|asked| match asked {
            Expectation::Nothing => Self::Unconditional,
            Expectation::Match(position) => Self::At(position),
            Expectation::Absence => Self::Absent,
        }))
    }
}

impl FromRequest for RecordCondition {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request, record_etag).map(|asked| match asked {
            Expectation::Nothing => Self::Unconditional,
            Expectation::Match(digest) => Self::Is(digest),
            Expectation::Absence => Self::Absent,
        }))
    }
}

/// What the two headers say together.
enum Expectation<T> {
    Nothing,
    Match(T),
    Absence,
}

fn read<T>(request: &HttpRequest, etag: impl Fn(&HeaderValue) -> Result<T, ValidationErrors>) -> Result<Expectation<T>, ApiError> {
    let header = |name: &HeaderName| request.headers().get(name);
    match (header(&header::IF_MATCH), header(&header::IF_NONE_MATCH)) {
        (None, None) => Ok(Expectation::Nothing),
        (Some(value), None) => etag(value)
            .map(Expectation::Match)
            .map_err(|faults| ApiError::bad_parameter("If-Match", faults)),
        (None, Some(value)) if value.as_bytes() == b"*" => Ok(Expectation::Absence),
        (None, Some(_)) => {
            let problem = "on a write it can only be *, which means that the thing must not exist yet";
            Err(ApiError::bad_parameter("If-None-Match", ValidationErrors::one("", problem)))
        }
        (Some(_), Some(_)) => Err(ApiError::bad_parameter(
            "If-Match",
            ValidationErrors::one("", "it contradicts If-None-Match; send one of them"),
        )),
    }
}

/// The position that an ETag names.
fn etag(value: &HeaderValue) -> Result<Position, ValidationErrors> {
    let text = value.to_str().unwrap_or_default().trim();
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let wrong = || ValidationErrors::one("", format!("{text:?} is no ETag of this server; one looks like \"1:42\", with the quotes"));
    inner.ok_or_else(wrong)?.parse().map_err(|_| wrong())
}

/// The digest that the ETag of a record names.
fn record_etag(value: &HeaderValue) -> Result<Digest, ValidationErrors> {
    let text = value.to_str().unwrap_or_default().trim();
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let wrong = || {
        ValidationErrors::one(
            "",
            format!("{text:?} is no ETag of a record; one is 64 hexadecimal digits, with quotes around them"),
        )
    };
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
