//! CORS: pages of any origin may call. Keys travel in headers and never in cookies, so a page cannot act for a visitor.

use actix_web::HttpResponse;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap,
    HeaderValue, ORIGIN,
};

/// Request headers that a page may send.
const SENT: &str = "content-type, authorization, x-api-key, if-none-match, flagd-selector, last-event-id, cache-control";
/// Response headers that a page may read.
const READ: &str = "ETag, Retry-After, Ripcord-Stale, X-Request-Id";

/// The answer to a preflight request.
pub(super) fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "POST, GET, OPTIONS"))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, SENT))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "86400"))
        .finish()
}

/// Lets a page read the response.
pub(super) fn allow(request: &HeaderMap, answered: &mut HeaderMap) {
    if request.contains_key(ORIGIN) {
        answered.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        answered.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
    }
}
