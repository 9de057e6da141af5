//! `Idempotency-Key`: a repeat by the same caller on the same route gets the first answer and changes nothing.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use ripcord_proto::digest::Digest;
use ripcord_proto::{ValidationErrors, limits};

use super::error::ApiError;
use crate::commit::IdempotentCall;

/// What identifies a call, apart from its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    key: Option<String>,
    route: String,
    query: String,
}

impl Identity {
    /// The call, if the request has an `Idempotency-Key`. `caller` is the id of the API key, or `admin`.
    pub fn call(self, caller: &str, body: &Digest) -> Option<IdempotentCall> {
        let key = self.key?;
        Some(IdempotentCall {
            caller: caller.to_owned(),
            route: self.route,
            key,
            request: Digest::of([body.bytes().as_slice(), self.query.as_bytes()]),
        })
    }
}

impl Identity {
    /// Of a request whose key counts for nothing.
    pub fn without_key(request: &HttpRequest) -> Self {
        Self {
            key: None,
            route: format!("{} {}", request.method(), request.path()),
            query: repeatable(request.query_string()),
        }
    }
}

impl FromRequest for Identity {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let key = match request.headers().get("idempotency-key") {
            None => Ok(None),
            Some(value) => match value.to_str() {
                Ok(text) if (1..=limits::IDEMPOTENCY_KEY_CHARACTERS).contains(&text.len()) => Ok(Some(text.to_owned())),
                _ => {
                    let most = limits::IDEMPOTENCY_KEY_CHARACTERS;
                    let problem = format!("must have 1 to {most} visible ASCII characters, for example a UUID");
                    Err(ApiError::bad_parameter("Idempotency-Key", ValidationErrors::one("", problem)))
                }
            },
        };
        ready(key.map(|key| Self {
            key,
            ..Self::without_key(request)
        }))
    }
}

/// The query without `wait`: a repeat may wait longer than the first call did.
fn repeatable(query: &str) -> String {
    let kept: Vec<&str> = query.split('&').filter(|parameter| !parameter.starts_with("wait=")).collect();
    kept.join("&")
}
