//! One flag.

use actix_http::{Payload, RequestHead};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use ripcord_proto::value::Value;
use ripcord_sdk::engine::ErrorCode;

use super::Room;
use super::asked::Asked;
use super::fault::{ErrorBody, Fault, respond};
use super::subject::{self, Subject};
use crate::http::reply::STALE;
use crate::remote::{Answer, trace};

/// Bytes that the answer of one flag rarely exceeds.
pub(super) const ENTRY_BYTES: usize = 128;

/// Writes what one flag answered: exactly these members. Without a value the caller's own default is meant.
///
/// By hand, since a bulk answer holds hundreds of them, and most of each stands here. Keys and variants' names hold nothing that JSON
/// would have to escape (`ripcord_proto::key`); the error of a key that is none is written by the serializer.
pub(super) fn write_entry(key: &str, answer: &Answer<'_>, out: &mut Vec<u8>) -> serde_json::Result<()> {
    if let Some(code) = answer.error() {
        let body = ErrorBody {
            key: Some(key),
            error_code: Some(code.as_str()),
            error_details: &answer.error_text(key),
            metadata: Some(answer.metadata()),
        };
        return serde_json::to_writer(out, &body);
    }
    push(out, ["{\"key\":\"", key, "\",\"reason\":\"", answer.reason(), "\""]);
    match (answer.value(), answer.variant()) {
        (Some(Value::Boolean(true)), Some(variant)) => push(out, [",\"value\":true,\"variant\":\"", variant, "\""]),
        (Some(Value::Boolean(false)), Some(variant)) => push(out, [",\"value\":false,\"variant\":\"", variant, "\""]),
        (Some(value @ (Value::String(_) | Value::Number(_) | Value::Object(_))), Some(variant)) => {
            push(out, [",\"value\":"]);
            serde_json::to_writer(&mut *out, value)?;
            push(out, [",\"variant\":\"", variant, "\""]);
        }
        (None, _) | (_, None) => {}
    }
    let metadata = answer.metadata();
    if metadata.is_empty() {
        push(out, [",\"metadata\":{}}"]);
        return Ok(());
    }
    push(out, [",\"metadata\":"]);
    serde_json::to_writer(&mut *out, &metadata)?;
    push(out, ["}"]);
    Ok(())
}

#[inline]
fn push<const N: usize>(out: &mut Vec<u8>, parts: [&str; N]) {
    out.reserve(parts.iter().map(|part| part.len()).sum());
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Evaluates one flag.
pub(super) async fn evaluate(head: &RequestHead, key: &str, payload: Payload, room: &Room) -> HttpResponse {
    match answer(head, key, payload, room).await {
        Ok(response) => response,
        Err(fault) => fault.respond(Some(key)),
    }
}

async fn answer(head: &RequestHead, key: &str, payload: Payload, room: &Room) -> Result<HttpResponse, Fault> {
    let asked = Asked::of(head, room)?;
    let body = subject::body(&head.headers, payload).await?;
    let subject = Subject::read(&head.headers, &body)?;
    let environment = asked.permit.environment();
    let served = room.served(environment)?;
    let context = subject.context().at(room.clock.now().as_second());
    trace::asked(environment.as_str(), &asked.selection, served.snapshot.position, &context);
    let answer = asked.selection.answer(&served.compiled, key, &context);
    trace::answered(key, &answer);
    let status = match answer.error() {
        None => StatusCode::OK,
        Some(ErrorCode::FlagNotFound) => StatusCode::NOT_FOUND,
        Some(_) => StatusCode::BAD_REQUEST,
    };
    let mut body = Vec::with_capacity(ENTRY_BYTES);
    let written = write_entry(key, &answer, &mut body);
    let mut response = respond(status, written.map(|()| body));
    mark_stale(&mut response, room);
    Ok(response)
}

/// Says since when answers are stale, where they are.
pub(super) fn mark_stale(response: &mut HttpResponse, room: &Room) {
    if let Some(since) = room.stale()
        && let Ok(value) = format!("since={since}").parse()
    {
        response.headers_mut().insert(STALE, value);
    }
}
