//! `GET /v1/snapshot`, for those who poll: the bytes that streams are sent, under a tag that is compared and nothing else.
//!
//! Nearly all polls are answered in [`fast_path`]: a poller that is answered as always is no event, and a
//! router, a span and a line of log for each would cost more than the answer.

use actix_http::{Request, Response};
use actix_web::body::BoxBody;
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpRequest, HttpResponse, web};
use ripcord_proto::problem::{Code, Problem};

use super::StreamState;
use super::hello::StreamQuery;
use super::sse::HubHandle;
use crate::http::ApiError;
use crate::http::request_tracing;
use crate::http::response::STALE;

/// Where the snapshot is.
pub(super) const PATH: &str = "/v1/snapshot";

/// The snapshot frame of an environment, overlay and all, or 304 where the client has it.
#[utoipa::path(get, path = "/v1/snapshot", tag = "streams",
    params(("environment" = Option<String>, Query, description = "Which, for keys of several")),
    responses((status = 200, description = "The snapshot frame; its ETag covers the overlay too"), (status = 304), (status = "4XX", body = Problem)))]
pub(super) async fn snapshot(request: HttpRequest, hub: web::Data<HubHandle>) -> Result<HttpResponse, ApiError> {
    answer(&hub.0.shared, request.headers(), request.query_string())
}

/// The answer to a poll that succeeds. `None` leaves everything else to the framework: other paths, refusals, and callers that
/// gave their request an id to find it by.
pub(super) fn fast_path(shared: &StreamState, request: &Request) -> Option<Response<BoxBody>> {
    let head = request.head();
    if head.method != Method::GET || request.path() != PATH || head.headers.contains_key(request_tracing::HEADER) {
        return None;
    }
    answer(shared, &head.headers, request.uri().query().unwrap_or_default())
        .ok()
        .map(Response::from)
}

fn answer(shared: &StreamState, headers: &HeaderMap, query: &str) -> Result<HttpResponse, ApiError> {
    let environment = if query.is_empty() { None } else { StreamQuery::parse(query).environment };
    let (feed, _) = shared.authorised(headers, environment.as_deref())?;
    let head = feed.head();
    let document = head
        .document()
        .ok_or_else(|| ApiError::new(Code::Internal, "The snapshot cannot be encoded; the server's log says why."))?;
    let known = headers
        .get_all(IF_NONE_MATCH)
        .any(|tags| tags == "*" || tags.as_bytes().split(|byte| *byte == b',').any(|tag| same(tag, &document.etag)));
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, document.etag.as_ref()))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if !*shared.fresh.borrow() {
        // Who polls has no heartbeats: this is how it learns that a kill may have passed this node by.
        response.insert_header((STALE, "true"));
    }
    Ok(if known {
        response.finish()
    } else {
        response.insert_header((CONTENT_TYPE, "application/json")).body(document.body.clone())
    })
}

/// Compares weakly (RFC 9110, 13.1.2): proxies that compress mark tags as weak.
fn same(tag: &[u8], etag: &[u8]) -> bool {
    let tag = tag.trim_ascii();
    tag.strip_prefix(b"W/").unwrap_or(tag) == etag
}
