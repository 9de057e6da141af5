//! Pages of other origins may call: keys travel in headers, never in cookies, so that a page can do nothing in a visitor's name.

use actix_web::HttpResponse;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap,
    HeaderValue, ORIGIN,
};

/// What a page may send.
const SENT: &str = "content-type, authorization, x-api-key, if-none-match, flagd-selector, last-event-id, cache-control";
/// What a page may read.
const READ: &str = "ETag, Retry-After, Ripcord-Stale, X-Request-Id";

/// The answer to the question that a browser asks first.
pub(super) fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "POST, GET, OPTIONS"))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, SENT))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "86400"))
        .finish()
}

/// Lets a page read the answer, where one asks.
pub(super) fn allow(request: &HeaderMap, answered: &mut HeaderMap) {
    if request.contains_key(ORIGIN) {
        answered.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        answered.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
    }
}
