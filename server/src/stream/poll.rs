//! `GET /v1/snapshot`, for clients that poll: the bytes that streams send, with an ETag.
//!
//! Nearly all polls are answered by [`fast_path`], in front of the web framework: a router, a span and a log line per poll would cost
//! more than the answer.

use std::net::IpAddr;

use actix_http::{Request, Response};
use actix_web::body::BoxBody;
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpRequest, HttpResponse, web};
use ripcord_proto::problem::Code;
use ripcord_proto::role::Action;

use super::hello::StreamQuery;
use super::shared::{StreamRequest, StreamState};
use super::sse::HubHandle;
use crate::http::ApiError;
use crate::http::documented::Problems;
use crate::http::request_id;
use crate::http::response::STALE;

/// Where the snapshot is.
pub(super) const PATH: &str = "/v1/snapshot";

/// The snapshot frame of an environment, with its overlay; 304 if the client has it already.
#[utoipa::path(get, path = "/v1/snapshot", tag = "streams", operation_id = "getSnapshot",
    params(("environment" = Option<String>, Query, description = "The environment, for keys valid in several")),
    responses((status = 200, description = "The snapshot frame; its ETag covers the overlay too", body = ref("#/components/schemas/SnapshotFrame")), (status = 304, description = "If-None-Match names its ETag"), Problems))]
pub(super) async fn snapshot(request: HttpRequest, hub: web::Data<HubHandle>) -> Result<HttpResponse, ApiError> {
    let address = request.peer_addr().map(|address| address.ip());
    answer(&hub.0.shared, request.headers(), address, request.query_string())
}

/// The answer to a successful poll. `None` leaves everything else to the framework: other paths, errors, and requests with an id of
/// their own, which are to be logged.
pub(super) fn fast_path(shared: &StreamState, request: &Request) -> Option<Response<BoxBody>> {
    let head = request.head();
    if head.method != Method::GET || request.path() != PATH || head.headers.contains_key(request_id::HEADER) {
        return None;
    }
    let address = request.peer_addr().map(|address| address.ip());
    answer(shared, &head.headers, address, request.uri().query().unwrap_or_default())
        .ok()
        .map(Response::from)
}

fn answer(shared: &StreamState, headers: &HeaderMap, address: Option<IpAddr>, query: &str) -> Result<HttpResponse, ApiError> {
    let environment = if query.is_empty() { None } else { StreamQuery::parse(query).environment };
    let asked = StreamRequest {
        headers,
        address,
        environment: environment.as_deref(),
    };
    let head = shared.authorised(asked, Action::Stream)?.feed.head();
    let document = head
        .document()
        .ok_or_else(|| ApiError::new(Code::Internal, "The snapshot cannot be encoded. The server's log has the cause."))?;
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
