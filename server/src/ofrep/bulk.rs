//! All flags that a caller sees, in one answer.

use std::time::{Duration, Instant};

use actix_http::{Payload, RequestHead};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH, USER_AGENT};
use ripcord_proto::digest::Digest;
use ripcord_sdk::Context;
use serde_json::{Map, Value, json};

use super::Room;
use super::asked::Asked;
use super::evaluate::{ENTRY_BYTES, mark_stale, write_entry};
use super::events::EventStream;
use super::fault::{Fault, respond};
use super::heads::Tag;
use super::subject::{self, Subject};
use crate::fleet::{Joining, Transport};
use crate::remote::{Answer, trace};
use crate::snapshot::publication::Served;

/// How long an answer waits for a configuration that the caller has heard of and this node has not.
const PATIENCE: Duration = Duration::from_secs(2);

/// Writes a whole answer.
fn write(answers: &[(&str, Answer<'_>)], metadata: &Map<String, Value>, stream: &EventStream) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::with_capacity((answers.len() + 4) * ENTRY_BYTES);
    out.extend_from_slice(b"{\"flags\":[");
    for (place, (key, answer)) in answers.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write_entry(key, answer, &mut out)?;
    }
    out.extend_from_slice(b"],\"metadata\":");
    serde_json::to_writer(&mut out, metadata)?;
    out.extend_from_slice(b",\"eventStreams\":");
    serde_json::to_writer(&mut out, &[stream])?;
    out.push(b'}');
    Ok(out)
}

/// Evaluates all flags.
pub(super) async fn evaluate(head: &RequestHead, payload: Payload, room: &Room) -> HttpResponse {
    match answer(head, payload, room).await {
        Ok(response) => response,
        Err(fault) => fault.respond(None),
    }
}

async fn answer(head: &RequestHead, payload: Payload, room: &Room) -> Result<HttpResponse, Fault> {
    let asked = Asked::of(head, room)?;
    let body = subject::body(&head.headers, payload).await?;
    let subject = Subject::read(&head.headers, &body)?;
    if let Some(tag) = asked.query.flag_config_etag.as_deref().and_then(Tag::position) {
        room.heads.reach(asked.permit.environment(), tag, PATIENCE).await;
    }
    let served = room.served(asked.permit.environment())?;
    let context = subject.context().at(room.clock.now().as_second());
    trace::asked(asked.permit.environment().as_str(), &asked.selection, served.snapshot.position, &context);
    let answers = answers(&asked, &served, &context);
    let client = client(head, &asked, &context);
    confirm(head, room, &asked, &served, &client);
    let etag = etag(room, &asked, &served, &answers);
    if given(head).any(|tag| tag == "*" || tag == etag) {
        let mut response = HttpResponse::NotModified().finish();
        tagged(&mut response, &etag);
        return Ok(response);
    }
    let stream = EventStream::of(room, &asked, &served, &client);
    let mut response = respond(StatusCode::OK, write(&answers, &metadata(room, &asked), &stream));
    tagged(&mut response, &etag);
    mark_stale(&mut response, room);
    Ok(response)
}

fn answers<'a>(asked: &Asked, served: &'a Served, context: &Context<'_>) -> Vec<(&'a str, Answer<'a>)> {
    let seen = |key: &str| served.snapshot.flags.value(key).is_some_and(|flag| asked.selection.shows(flag));
    let keys = served.snapshot.flags.iter().map(|entry| entry.key().as_str());
    keys.filter(|key| asked.selection.is_everything() || seen(key))
        .map(|key| (key, asked.selection.answer(&served.compiled, key, context)))
        .collect()
}

/// What the whole answer is under: what was selected, and whether it may be old.
fn metadata(room: &Room, asked: &Asked) -> Map<String, Value> {
    let set = asked.selection.set.as_ref().map(|set| (ripcord_proto::flagd::FLAG_SET.to_owned(), json!(set)));
    let source = asked.selection.environment.as_ref().map(|source| ("source".to_owned(), json!(source)));
    let stale = room.stale().map(|_| ("stale".to_owned(), json!(true)));
    set.into_iter().chain(source).chain(stale).collect()
}

/// Over everything that decides the answer, and nothing else: the same flags answered in the same way have the same tag, whenever
/// and in whatever order the context was sent.
fn etag(room: &Room, asked: &Asked, served: &Served, answers: &[(&str, Answer<'_>)]) -> String {
    let mut decisions = Vec::with_capacity(answers.len() * 24 + 128);
    decisions.extend_from_slice(asked.permit.environment().as_str().as_bytes());
    decisions.push(u8::from(room.stale().is_some()));
    asked.selection.decisions(&mut decisions);
    for (_, answer) in answers {
        answer.decisions(&mut decisions);
    }
    let digest = Digest::of([served.hash.bytes().as_slice(), &decisions]).to_string();
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
fn client(head: &RequestHead, asked: &Asked, context: &Context<'_>) -> String {
    let address = head.peer_addr.map(|address| address.ip().to_string()).unwrap_or_default();
    let agent = head.headers.get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    let parts = [
        asked.permit.caller().as_bytes(),
        address.as_bytes(),
        agent,
        context.targeting_key().unwrap_or_default().as_bytes(),
    ];
    let digest = Digest::of(parts.into_iter().flat_map(|part| [part, &[0]])).to_string();
    format!("ofrep-{}", digest.get(..16).unwrap_or(&digest))
}

/// Who comes back with what he was given earlier has fetched: what he is answered now is what he goes by.
fn confirm(head: &RequestHead, room: &Room, asked: &Asked, served: &Served, client: &str) {
    let (environment, position) = (asked.permit.environment(), served.snapshot.position);
    let presents = asked.query.flag_config_etag.is_some() || head.headers.contains_key(IF_NONE_MATCH);
    if presents {
        room.fleet.fetched(environment, joining(head, client), position);
    } else {
        room.fleet.acknowledged(environment, client, position, &[], Instant::now());
    }
}

/// How a client is shown.
pub(super) fn joining(head: &RequestHead, client: &str) -> Joining {
    let agent = head.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("ofrep");
    Joining {
        name: client.to_owned(),
        id: client.to_owned(),
        sdk: agent.chars().take(80).collect(),
        position: None,
        acknowledges: true,
        transport: Transport::Ofrep,
    }
}
