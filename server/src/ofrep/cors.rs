//! CORS: pages of any origin may call. Keys travel in headers and never in cookies, so a page cannot act for a visitor.

use actix_web::HttpResponse;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, HeaderMap, HeaderValue, ORIGIN, VARY,
};

/// Request headers that every page may send.
const SENT: &str = "content-type, authorization, x-api-key, if-none-match, flagd-selector, last-event-id, cache-control, \
                    traceparent, tracestate, baggage";
/// Bytes of the headers that a page asks for, at most.
const ASKED: usize = 4 * 1024;
/// Response headers that a page may read.
const READ: &str = "ETag, Retry-After, Ripcord-Stale, X-Request-Id";

/// The answer to a preflight request. Whatever header a page asks for is allowed: tracing adds its own to each request, and which ones
/// depends on its vendor.
pub(super) fn preflight(request: &HeaderMap) -> HttpResponse {
    let asked = request.get(ACCESS_CONTROL_REQUEST_HEADERS).and_then(|asked| asked.to_str().ok());
    let sent = match asked.filter(|asked| asked.len() <= ASKED && is_list_of_names(asked)) {
        Some(asked) => format!("{SENT}, {asked}"),
        None => SENT.to_owned(),
    };
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "POST, GET, OPTIONS"))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, sent))
        .insert_header((VARY, "Access-Control-Request-Headers"))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "86400"))
        .finish()
}

fn is_list_of_names(text: &str) -> bool {
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    text.split(',').map(str::trim).all(is_name)
}

/// Lets a page read the response.
pub(super) fn allow(request: &HeaderMap, answered: &mut HeaderMap) {
    if request.contains_key(ORIGIN) {
        answered.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        answered.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
    }
}
