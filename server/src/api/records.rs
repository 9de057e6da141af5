//! What the endpoints of records share: conditions, reasons, pages and ETags.

use actix_web::http::StatusCode;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::Code;
use ripcord_proto::rest::list::Page;

use super::services::AppState;
use super::write::{Answered, WriteRecord, WriteRequest, answer, reply};
use crate::access::permit::Allows;
use crate::commit::{Applied, Operation, RenderedAnswer};
use crate::http::precondition::RecordCondition;
use crate::http::query::PageQuery;
use crate::http::{ApiError, ApiResponse};

/// The digest of the record that the caller read, where he names one. A thing that is only ever changed is there already.
pub(super) fn read_before(condition: RecordCondition) -> Result<Option<Digest>, ApiError> {
    match condition {
        RecordCondition::Unconditional => Ok(None),
        RecordCondition::Is(digest) => Ok(Some(digest)),
        RecordCondition::Absent => Err(ApiError::new(
            Code::BadRequest,
            "If-None-Match makes no sense here; send If-Match with the record's ETag, or neither.",
        )),
    }
}

/// The reason that a commit of a record has by itself, with the one that was given added to it.
pub(super) fn reason(own: &str, given: Option<&str>) -> String {
    given.map_or_else(|| own.to_owned(), |given| format!("{own}: {given}"))
}

/// Submits a write of records and answers with what `body` makes of it.
pub(super) async fn submit<A: Allows, B: serde::Serialize>(
    app: &AppState,
    write: WriteRecord<A>,
    body_digest: &Digest,
    (ask, reason): (Operation, String),
    status: StatusCode,
    body: impl Fn(&Applied) -> Result<B, ApiError> + Send + Sync + 'static,
) -> Result<(Answered, ApiResponse), ApiError> {
    let asked = WriteRequest::one(ask).because(Some(reason));
    let prepared = write.prepare(asked, body_digest, move |made| answered(status, body(made)?));
    let committed = app.submit(prepared).await?;
    let reply = reply(&committed.answer, committed.replayed, None)?;
    Ok((committed, reply))
}

fn answered(status: StatusCode, body: impl serde::Serialize) -> Result<RenderedAnswer, ApiError> {
    answer(status, &body)
}

/// The page of `items` (in the order of the list) that comes after the item of the name `query.after`.
pub(super) fn page<T, V>(items: &[T], name: impl Fn(&T) -> String, view: impl Fn(&T) -> V, query: &PageQuery, is_stale: bool) -> Page<V> {
    let after = query.after.as_deref();
    let from = after.map_or(0, |after| {
        items.iter().position(|item| name(item) == after).map_or(items.len(), |place| place + 1)
    });
    let rest = items.get(from..).unwrap_or_default();
    let shown = rest.get(..query.limit.get()).unwrap_or(rest);
    Page {
        items: shown.iter().map(view).collect(),
        next: shown.last().filter(|_| shown.len() < rest.len()).map(name),
        stale: is_stale,
    }
}

/// A record that a commit has just put and that is not in what it made: it cannot be.
pub(super) fn lost() -> ApiError {
    ApiError::new(Code::Internal, "The record was written and cannot be read back.")
}
