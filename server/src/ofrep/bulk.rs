//! Evaluates all flags that a caller sees.

use std::time::{Duration, Instant};

use actix_http::{Payload, RequestHead};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH};
use ripcord_proto::digest::Digest;
use ripcord_sdk::Context;
use serde_json::{Map, Value, json};

use super::client;
use super::context_body::{self, ContextBody};
use super::error::{OfrepError, respond};
use super::evaluate::{ENTRY_BYTES, mark_stale, write_entry};
use super::events::EventStream;
use super::request::{self, OfrepRequest};
use super::service::Service;
use super::versions::VersionTag;
use crate::remote::{RemoteEvaluation, trace};
use crate::snapshot::publication::Served;

/// How an answer begins.
const FLAGS: &[u8] = b"{\"flags\":[";
/// How long an answer waits for a configuration that the client has heard of but this node does not have yet.
const PATIENCE: Duration = Duration::from_secs(2);

/// Evaluates all flags.
pub(super) async fn evaluate(head: &RequestHead, payload: Payload, service: &Service) -> HttpResponse {
    match answer(head, payload, service).await {
        Ok(response) => response,
        Err(error) => error.respond(None),
    }
}

async fn answer(head: &RequestHead, payload: Payload, service: &Service) -> Result<HttpResponse, OfrepError> {
    let request = OfrepRequest::of(head, service)?;
    let body = context_body::read(&head.headers, payload).await?;
    let parsed = ContextBody::read(&head.headers, &body)?;
    if let Some(tag) = request.query.flag_config_etag.as_deref().and_then(VersionTag::position) {
        service.versions.reach(request.permit.environment(), tag, PATIENCE).await;
    }
    let served = service.served(request.permit.environment())?;
    let context = request::under_headers(parsed.context(), &served, head).at(service.clock.now().as_second());
    trace::record_request(request.permit.environment().as_str(), &request.selection, served.snapshot.position, &context);
    let client_id = client::id(head, &request, &context);
    confirm(head, service, &request, &served, &client_id);
    let flags = VisibleFlags {
        request: &request,
        served: &served,
        context: &context,
    };
    let mut list = Vec::with_capacity(served.compiled.flag_count() * ENTRY_BYTES);
    let written = flags.each(|key, answer| add(key, answer, &mut list));
    let etag = etag(service, &request, &list);
    if written.is_ok() && given(head).any(|tag| tag == "*" || tag == etag) {
        return Ok(not_modified(&etag));
    }
    let stream = EventStream::of(service, &request, &served, &client_id);
    let whole = written.and_then(|()| whole(list, &metadata(service, &request), &stream));
    let mut response = respond(StatusCode::OK, whole);
    tagged(&mut response, &etag);
    mark_stale(&mut response, service);
    Ok(response)
}

/// The flags that the caller sees.
struct VisibleFlags<'a, 'c> {
    request: &'a OfrepRequest,
    served: &'a Served,
    context: &'a Context<'c>,
}

impl VisibleFlags<'_, '_> {
    /// Evaluates each of them, in key order.
    fn each(&self, mut visit: impl FnMut(&str, &RemoteEvaluation<'_>) -> serde_json::Result<()>) -> serde_json::Result<()> {
        let selection = &self.request.selection;
        for entry in &self.served.snapshot.flags {
            if selection.is_everything() || entry.value().is_ok_and(|flag| selection.shows(flag)) {
                let key = entry.key().as_str();
                visit(key, &selection.answer(&self.served.compiled, key, self.context))?;
            }
        }
        Ok(())
    }
}

/// Adds a flag's answer to a list of them.
fn add(key: &str, answer: &RemoteEvaluation<'_>, list: &mut Vec<u8>) -> serde_json::Result<()> {
    list.extend_from_slice(if list.is_empty() { FLAGS } else { b"," });
    write_entry(key, answer, list)
}

/// The whole body around a list of answers.
fn whole(mut list: Vec<u8>, metadata: &Map<String, Value>, stream: &EventStream) -> serde_json::Result<Vec<u8>> {
    if list.is_empty() {
        list.extend_from_slice(FLAGS);
    }
    list.extend_from_slice(b"],\"metadata\":");
    serde_json::to_writer(&mut list, metadata)?;
    list.extend_from_slice(b",\"eventStreams\":");
    serde_json::to_writer(&mut list, &[stream])?;
    list.push(b'}');
    Ok(list)
}

fn not_modified(etag: &str) -> HttpResponse {
    let mut response = HttpResponse::NotModified().finish();
    tagged(&mut response, etag);
    response
}

/// Metadata of the whole answer: the selection, and whether it is stale.
fn metadata(service: &Service, request: &OfrepRequest) -> Map<String, Value> {
    let set = request
        .selection
        .set
        .as_ref()
        .map(|set| (ripcord_proto::flagd::FLAG_SET.to_owned(), json!(set)));
    let source = request.selection.environment.as_ref().map(|source| ("source".to_owned(), json!(source)));
    let stale = service.stale().map(|_| ("stale".to_owned(), json!(true)));
    set.into_iter().chain(source).chain(stale).collect()
}

/// Digest of what is answered and to whom: equal answers have equal tags, whenever they were asked for, in whatever order the context was
/// sent, and whatever else has changed in the environment.
fn etag(service: &Service, request: &OfrepRequest, list: &[u8]) -> String {
    let mut asked = request.permit.environment().as_str().as_bytes().to_vec();
    asked.push(u8::from(service.stale().is_some()));
    request.selection.decisions(&mut asked);
    let digest = Digest::of([asked.as_slice(), list]).to_string();
    format!("\"{}\"", digest.get(..32).unwrap_or(&digest))
}

fn tagged(response: &mut HttpResponse, etag: &str) {
    if let Ok(value) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(ETAG, value);
    }
    // With `no-store`, a cache could not use the tag.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}

/// The tags in `If-None-Match`; weak ones count as strong.
fn given(head: &RequestHead) -> impl Iterator<Item = &str> {
    let values = head.headers.get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|tag| {
        let tag = tag.trim();
        tag.strip_prefix("W/").unwrap_or(tag)
    })
}

/// A client that presents an earlier tag is polling: it counts as having fetched what it gets now.
fn confirm(head: &RequestHead, service: &Service, request: &OfrepRequest, served: &Served, client_id: &str) {
    let (environment, position) = (request.permit.environment(), served.snapshot.position);
    let presents = request.query.flag_config_etag.is_some() || head.headers.contains_key(IF_NONE_MATCH);
    if presents {
        service.fleet.fetched(environment, client::member(head, client_id), position);
    } else {
        service.fleet.acknowledged(environment, client_id, position, &[], Instant::now());
    }
}
