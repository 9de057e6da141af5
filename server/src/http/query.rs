//! Query parameters, read strictly: unknown ones are refused.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use ripcord_proto::problem::Code;
pub use ripcord_proto::rest::wait::Wait;
use ripcord_proto::visible::one_line;
use ripcord_proto::{ReleaseName, limits};
use serde::de::{DeserializeOwned, Deserializer, Error as _};

use super::error::ApiError;

/// The parameters of a request as a struct that denies unknown members.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = web::Query::<T>::from_query(request.query_string());
        ready(read.map(|query| Self(query.into_inner())).map_err(|error| {
            let detail = error.to_string();
            let detail = detail.strip_prefix("Query deserialize error: ").unwrap_or(&detail).to_owned();
            ApiError::new(Code::BadRequest, format!("Invalid query parameter: {detail}."))
        }))
    }
}

/// The parameters of every write: `?wait=2s&reason=why`.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WriteQuery {
    /// How long to wait for the confirmations of all clients: `2s`, `500ms`, at most `60s`.
    #[param(value_type = Option<String>, example = "2s")]
    pub wait: Option<Wait>,
    /// The reason, if the body is the thing itself or there is no body.
    #[param(value_type = Option<String>, example = "launch")]
    pub reason: Option<Reason>,
    /// Allow an edit that changes what a killed flag serves.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    pub allow_killed_edit: bool,
    /// The release that the change belongs to.
    #[param(value_type = Option<String>, example = "web-2026.11.24")]
    pub release: Option<ReleaseName>,
}

impl WriteQuery {
    /// The reason as text.
    pub fn reason(self) -> Option<String> {
        self.reason.map(Reason::into_text)
    }
}

/// The parameters of every list: `?after=…&limit=100`.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The `next` of the previous page.
    pub after: Option<String>,
    /// Items per page: 1 to 1,000, 100 by default.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000)]
    pub limit: Limit,
}

/// Items per page: 1 to 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(usize);

impl Limit {
    /// As a number.
    pub const fn get(self) -> usize {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(100)
    }
}

impl<'de> serde::Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(limit @ 1..=1_000) => Ok(Self(limit)),
            _ => Err(D::Error::custom(format!("limit must be a number from 1 to 1000, not {text:?}"))),
        }
    }
}

/// A reason: text that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// As text.
    pub fn into_text(self) -> String {
        self.0
    }
}

impl<'de> serde::Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let text = one_line(&text);
        let length = text.chars().count();
        if length == 0 || length > limits::TEXT_CHARACTERS {
            let most = limits::TEXT_CHARACTERS;
            return Err(D::Error::custom(format!("reason must have 1 to {most} characters, not {length}")));
        }
        Ok(Self(text))
    }
}
