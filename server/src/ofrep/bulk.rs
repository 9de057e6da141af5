//! All flags that a caller sees, in one answer.

use std::time::{Duration, Instant};

use actix_http::{Payload, RequestHead};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH, USER_AGENT};
use ripcord_proto::digest::Digest;
use ripcord_sdk::Context;
use serde_json::{Map, Value, json};

use super::Service;
use super::context_body::{self, ContextBody};
use super::error::{OfrepError, respond};
use super::evaluate::{ENTRY_BYTES, mark_stale, write_entry};
use super::events::EventStream;
use super::request::OfrepRequest;
use super::versions::VersionTag;
use crate::fleet::{NewMember, Transport};
use crate::remote::{RemoteEvaluation, trace};
use crate::snapshot::publication::Served;

/// How an answer begins.
const FLAGS: &[u8] = b"{\"flags\":[";
/// How long an answer waits for a configuration that the caller has heard of and this node has not.
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
    let context = parsed.context().at(service.clock.now().as_second());
    trace::record_request(request.permit.environment().as_str(), &request.selection, served.snapshot.position, &context);
    let client = client(head, &request, &context);
    confirm(head, service, &request, &served, &client);
    let flags = VisibleFlags {
        request: &request,
        served: &served,
        context: &context,
    };
    let mut decisions = decisions(service, &request, &served);
    let mut list = Vec::new();
    let written = if head.headers.contains_key(IF_NONE_MATCH) {
        // Most who have a tag need nothing written.
        let decided = flags.each(|_, answer| {
            answer.decisions(&mut decisions);
            Ok(())
        });
        let etag = etag(&served, &decisions);
        if given(head).any(|tag| tag == "*" || tag == etag) {
            return Ok(not_modified(&etag));
        }
        decided.and_then(|()| flags.each(|key, answer| add(key, answer, &mut list)))
    } else {
        list.reserve(served.compiled.flag_count() * ENTRY_BYTES);
        flags.each(|key, answer| {
            answer.decisions(&mut decisions);
            add(key, answer, &mut list)
        })
    };
    let stream = EventStream::of(service, &request, &served, &client);
    let whole = written.and_then(|()| whole(list, &metadata(service, &request), &stream));
    let mut response = respond(StatusCode::OK, whole);
    tagged(&mut response, &etag(&served, &decisions));
    mark_stale(&mut response, service);
    Ok(response)
}

/// The flags that somebody asks for.
struct VisibleFlags<'a, 'c> {
    request: &'a OfrepRequest,
    served: &'a Served,
    context: &'a Context<'c>,
}

impl VisibleFlags<'_, '_> {
    /// Evaluates each that he sees, in order of their keys.
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

/// What the whole answer is under: what was selected, and whether it may be old.
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

/// What decides an answer besides what each flag answers.
fn decisions(service: &Service, request: &OfrepRequest, served: &Served) -> Vec<u8> {
    let mut decisions = Vec::with_capacity(served.compiled.flag_count() * 8 + 128);
    decisions.extend_from_slice(request.permit.environment().as_str().as_bytes());
    decisions.push(u8::from(service.stale().is_some()));
    request.selection.decisions(&mut decisions);
    decisions
}

/// Over everything that decides the answer, and nothing else: the same flags answered in the same way have the same tag, whenever
/// and in whatever order the context was sent.
fn etag(served: &Served, decisions: &[u8]) -> String {
    let digest = Digest::of([served.hash.bytes().as_slice(), decisions]).to_string();
    format!("\"{}\"", digest.get(..32).unwrap_or(&digest))
}

fn tagged(response: &mut HttpResponse, etag: &str) {
    if let Ok(value) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(ETAG, value);
    }
    // The tag would be no use to a cache that may keep nothing.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}

/// The tags that the caller has; weak ones count as strong.
fn given(head: &RequestHead) -> impl Iterator<Item = &str> {
    let values = head.headers.get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|tag| {
        let tag = tag.trim();
        tag.strip_prefix("W/").unwrap_or(tag)
    })
}

/// A name for the client that is the same whenever it comes back, and tells nothing of it.
fn client(head: &RequestHead, request: &OfrepRequest, context: &Context<'_>) -> String {
    let address = head.peer_addr.map(|address| address.ip().to_string()).unwrap_or_default();
    let agent = head.headers.get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    let parts = [
        request.permit.caller().as_bytes(),
        address.as_bytes(),
        agent,
        context.targeting_key().unwrap_or_default().as_bytes(),
    ];
    let digest = Digest::of(parts.into_iter().flat_map(|part| [part, &[0]])).to_string();
    format!("ofrep-{}", digest.get(..16).unwrap_or(&digest))
}

/// Who comes back with what he was given earlier has fetched: what he is answered now is what he goes by.
fn confirm(head: &RequestHead, service: &Service, request: &OfrepRequest, served: &Served, client: &str) {
    let (environment, position) = (request.permit.environment(), served.snapshot.position);
    let presents = request.query.flag_config_etag.is_some() || head.headers.contains_key(IF_NONE_MATCH);
    if presents {
        service.fleet.fetched(environment, joining(head, client), position);
    } else {
        service.fleet.acknowledged(environment, client, position, &[], Instant::now());
    }
}

/// How a client is shown.
pub(super) fn joining(head: &RequestHead, client: &str) -> NewMember {
    let agent = head.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("ofrep");
    NewMember {
        name: client.to_owned(),
        id: client.to_owned(),
        sdk: agent.chars().take(80).collect(),
        position: None,
        acknowledges: true,
        transport: Transport::Ofrep,
    }
}
