//! Evaluates one flag.

use actix_http::{Payload, RequestHead};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use ripcord_proto::value::Value;
use ripcord_sdk::engine::ErrorCode;

use super::context_body::{self, ContextBody};
use super::error::{ErrorBody, OfrepError, respond};
use super::request::{self, OfrepRequest};
use super::service::Service;
use crate::http::response::STALE;
use crate::remote::{RemoteEvaluation, trace};

/// Bytes that the answer of one flag rarely exceeds.
pub(super) const ENTRY_BYTES: usize = 128;

/// Writes the answer of one flag. An answer without a value means the caller's own default.
///
/// Written by hand because a bulk answer has hundreds of them. Keys and variant names contain nothing that JSON must escape
/// (`ripcord_proto::key`); the error for an invalid key goes through the serializer.
pub(super) fn write_entry(key: &str, answer: &RemoteEvaluation<'_>, out: &mut Vec<u8>) -> serde_json::Result<()> {
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
pub(super) async fn evaluate(head: &RequestHead, key: &str, payload: Payload, service: &Service) -> HttpResponse {
    match answer(head, key, payload, service).await {
        Ok(response) => response,
        Err(error) => error.respond(Some(key)),
    }
}

async fn answer(head: &RequestHead, key: &str, payload: Payload, service: &Service) -> Result<HttpResponse, OfrepError> {
    let request = OfrepRequest::of(head, service)?;
    let limits = request.context_limits();
    let body = context_body::read(&head.headers, payload, limits).await?;
    let parsed = ContextBody::read(&head.headers, &body, limits)?;
    let environment = request.permit.environment();
    let served = service.served(environment)?;
    let context = request::under_headers(parsed.context(), &served, head).at(service.clock.now().as_second());
    trace::record_request(environment.as_str(), &request.selection, served.snapshot.position, &context);
    let answer = request.selection.answer(&served.compiled, key, &context);
    trace::record_result(key, &answer);
    let status = match answer.error() {
        None => StatusCode::OK,
        Some(ErrorCode::FlagNotFound) => StatusCode::NOT_FOUND,
        Some(_) => StatusCode::BAD_REQUEST,
    };
    let mut body = Vec::with_capacity(ENTRY_BYTES);
    let written = write_entry(key, &answer, &mut body);
    let mut response = respond(status, written.map(|()| body));
    mark_stale(&mut response, service);
    Ok(response)
}

/// Adds `Ripcord-Stale` while the store is away.
pub(super) fn mark_stale(response: &mut HttpResponse, service: &Service) {
    if let Some(since) = service.stale()
        && let Ok(value) = format!("since={since}").parse()
    {
        response.headers_mut().insert(STALE, value);
    }
}
