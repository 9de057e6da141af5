//! One flag.

use actix_http::{Payload, RequestHead};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use ripcord_proto::value::Value;
use ripcord_sdk::engine::ErrorCode;

use super::Room;
use super::asked::Asked;
use super::fault::{ErrorBody, Fault, json};
use super::subject::{self, Subject};
use crate::http::reply::STALE;
use crate::remote::{Answer, Metadata, trace};

/// A flag that was evaluated: exactly these members. Without a value the caller's own default is meant.
#[derive(Debug, serde::Serialize)]
pub(super) struct Evaluated<'a> {
    key: &'a str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    metadata: Metadata<'a>,
}

/// A flag, evaluated or not.
#[derive(Debug, serde::Serialize)]
#[serde(untagged)]
pub(super) enum Entry<'a> {
    /// It was.
    Evaluated(Evaluated<'a>),
    /// It could not be.
    Failed(ErrorBody<'a>),
}

/// Calls `with` with the answer as it is written.
pub(super) fn with_entry<T>(key: &str, answer: &Answer<'_>, with: impl FnOnce(&Entry<'_>) -> T) -> T {
    let Some(code) = answer.error() else {
        return with(&Entry::Evaluated(Evaluated {
            key,
            reason: answer.reason(),
            value: answer.value(),
            variant: answer.variant(),
            metadata: answer.metadata(),
        }));
    };
    with(&Entry::Failed(ErrorBody {
        key: Some(key),
        error_code: Some(code.as_str()),
        error_details: &answer.error_text(key),
        metadata: Some(answer.metadata()),
    }))
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
        Some(ErrorCode::TypeMismatch | ErrorCode::ParseError | ErrorCode::General) => StatusCode::BAD_REQUEST,
    };
    let mut response = with_entry(key, &answer, |entry| json(status, entry));
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
