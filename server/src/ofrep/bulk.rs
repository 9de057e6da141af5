//! Evaluates all flags that a caller sees.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_http::{Payload, RequestHead};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use bytes::Bytes;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::Code;
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
use crate::fleet::MemberIdentity;
use crate::http::ApiError;
use crate::remote::limits::{self, ContextLimits, Deadline, TooLong};
use crate::remote::{RemoteEvaluation, Selection, trace};
use crate::snapshot::publication::Served;

/// How an answer begins.
const FLAGS: &[u8] = b"{\"flags\":[";
/// How long an answer waits for a configuration that the client knows of but this node does not have yet.
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
    let limits = request.context_limits();
    let body = context_body::read(&head.headers, payload, limits).await?;
    let parsed = ContextBody::read(&head.headers, &body, limits)?;
    if let Some(tag) = request.query.flag_config_etag.as_deref().and_then(VersionTag::position) {
        service.versions.reach(request.permit.environment(), tag, PATIENCE).await;
    }
    let served = service.served(request.permit.environment())?;
    let now = service.clock.now().as_second();
    let context = request::under_headers(parsed.context(), &served, head).at(now);
    trace::record_request(request.permit.environment().as_str(), &request.selection, served.snapshot.position, &context);
    let client_id = client::id(head, &request, &context);
    confirm(head, service, &request, &served, &client_id);
    let answered = answers(&request.selection, &served, &context, Deadline::on_worker());
    let written = if let Ok(written) = answered {
        written
    } else {
        let long = LongEvaluation {
            limits,
            selection: request.selection.clone(),
            served: Arc::clone(&served),
            from_headers: request::attributes_of_headers(&served, head),
            now,
            body: body.clone(),
        };
        long.answers().await?
    };
    let list = written.map_err(|error| error.to_string());
    let etag = etag(service, &request, list.as_deref().unwrap_or_default());
    if list.is_ok() && given(head).any(|tag| tag == "*" || tag == etag) {
        return Ok(not_modified(&etag));
    }
    let stream = EventStream::of(service, &request, &served, &client_id);
    let whole = list.and_then(|list| whole(list, &metadata(service, &request), &stream).map_err(|error| error.to_string()));
    let mut response = respond(StatusCode::OK, whole);
    tagged(&mut response, &etag);
    mark_stale(&mut response, service);
    Ok(response)
}

/// The answers of all flags that the selection shows, in key order, within a time.
fn answers(selection: &Selection, served: &Served, context: &Context<'_>, deadline: Deadline) -> Result<serde_json::Result<Vec<u8>>, TooLong> {
    let mut list = Vec::with_capacity(served.compiled.flag_count() * ENTRY_BYTES);
    for (place, entry) in served.snapshot.flags.iter().enumerate() {
        if selection.is_everything() || entry.value().is_ok_and(|flag| selection.shows(flag)) {
            let key = entry.key().as_str();
            if let Err(error) = add(key, &selection.answer(&served.compiled, key, context), &mut list) {
                return Ok(Err(error));
            }
        }
        // Looking at the clock costs about as much as a flag.
        if place % 8 == 7 {
            deadline.check()?;
        }
    }
    Ok(Ok(list))
}

/// What an evaluation that runs on another thread needs.
struct LongEvaluation {
    limits: ContextLimits,
    selection: Selection,
    served: Arc<Served>,
    from_headers: Vec<(String, String)>,
    now: i64,
    body: Bytes,
}

impl LongEvaluation {
    /// The answers, from the start: the body is parsed again, since a context borrows from it.
    async fn answers(self) -> Result<serde_json::Result<Vec<u8>>, OfrepError> {
        let answered = limits::in_turn(move |deadline| {
            let parsed = ContextBody::read(&HeaderMap::new(), &self.body, self.limits)?;
            let mut context = parsed.context().at(self.now);
            for (name, value) in &self.from_headers {
                context.set(name, value);
            }
            answers(&self.selection, &self.served, &context, deadline).map_err(|error| too_busy(&error.to_string()))
        });
        answered
            .await
            .unwrap_or_else(|| Err(too_busy("This node evaluates as much as it can. Try again in a moment.")))
    }
}

fn too_busy(why: &str) -> OfrepError {
    ApiError::new(Code::NotReady, why).retry_after(1).into()
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

/// A digest of the request and its answer: equal answers have equal tags, whatever the time, the order of the context and other changes
/// of the environment.
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
    let (environment, key, position) = (request.permit.environment(), request.permit.caller(), served.snapshot.position);
    let presents = request.query.flag_config_etag.is_some() || head.headers.contains_key(IF_NONE_MATCH);
    if presents {
        service.fleet.fetched(environment, client::member(head, key, client_id), position);
    } else {
        let who = MemberIdentity::ofrep(key, client_id);
        service.fleet.acknowledged(environment, &who, position, &[], Instant::now());
    }
}
