//! `X-Request-Id`: finds a request in the logs.

use std::fmt;

use actix_web::http::header::{HeaderMap, HeaderName};

/// The header that carries the id, in requests and responses.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that a caller may choose, in characters.
const LONGEST: usize = 128;

/// Identifies a request in the logs: the caller's own id if it sent a usable one, else a random one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// The id of a request with these headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let fit = |text: &&str| !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
        match headers.get(HEADER).and_then(|value| value.to_str().ok()).filter(fit) {
            Some(given) => Self(given.to_owned()),
            None => Self(format!("{:016x}", rand::random::<u64>())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
