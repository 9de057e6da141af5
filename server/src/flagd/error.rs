//! Errors, and whether a client may retry.

use connectrpc::{ConnectError, ErrorCode};
use tonic::codegen::http::{HeaderMap, HeaderName, HeaderValue};

use crate::access::AccessError;

/// A negative value stops clients that would otherwise retry every error until their deadline, and so turn the answer "no such flag"
/// into half a second of waiting for each evaluation.
const PUSHBACK: (HeaderName, HeaderValue) = (HeaderName::from_static("grpc-retry-pushback-ms"), HeaderValue::from_static("-1"));

/// An error of this code. Only `Unavailable` may pass by itself, so only that may be retried.
pub(super) fn flagd_error(code: ErrorCode, text: impl Into<String>) -> ConnectError {
    let error = ConnectError::new(code, text);
    if code == ErrorCode::Unavailable {
        return error;
    }
    // An error without an answer before it has its status in the headers too, and some clients look no further.
    error
        .with_headers(HeaderMap::from_iter([PUSHBACK]))
        .with_trailers(HeaderMap::from_iter([PUSHBACK]))
}

/// Why a caller is refused.
pub(super) fn refusal(error: &AccessError) -> ConnectError {
    let problem = error.problem();
    let code = match problem.status {
        401 => ErrorCode::Unauthenticated,
        403 => ErrorCode::PermissionDenied,
        429 => ErrorCode::ResourceExhausted,
        503 => ErrorCode::Unavailable,
        ..500 => ErrorCode::InvalidArgument,
        500.. => ErrorCode::Internal,
    };
    flagd_error(code, problem.detail.clone())
}

/// The server stops; another node, or this one in a moment, takes the client.
pub(super) fn shutting_down() -> ConnectError {
    flagd_error(ErrorCode::Unavailable, "this node is shutting down; reconnect in a moment")
}

/// What was followed is gone.
pub(super) fn deleted() -> ConnectError {
    flagd_error(ErrorCode::NotFound, "the environment was deleted")
}
