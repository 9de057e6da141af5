//! What the endpoints of records share: conditions, reasons, pages and ETags.

use actix_web::http::StatusCode;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::Code;

use super::write::{Answered, WriteRecord, WriteRequest, answer, reply};
use crate::access::permit::Allows;
use crate::commit::{Applied, Operation, RenderedAnswer};
use crate::http::precondition::RecordCondition;
use crate::http::{ApiError, ApiResponse};

/// The digest in `If-Match`, if any. These records always exist, so `If-None-Match` is refused.
pub(super) fn read_before(condition: RecordCondition) -> Result<Option<Digest>, ApiError> {
    match condition {
        RecordCondition::Unconditional | RecordCondition::Present => Ok(None),
        RecordCondition::Is(digest) => Ok(Some(digest)),
        RecordCondition::Absent => Err(ApiError::new(
            Code::BadRequest,
            "If-None-Match is not possible here. Send If-Match with the record's ETag, or neither.",
        )),
    }
}

/// The reason of a commit: its own, followed by the caller's.
pub(super) fn reason(own: &str, given: Option<&str>) -> String {
    given.map_or_else(|| own.to_owned(), |given| format!("{own}: {given}"))
}

/// Submits a write of a record and answers with the body that `body` builds.
pub(super) async fn submit<A: Allows, B: serde::Serialize>(
    write: WriteRecord<A>,
    body_digest: &Digest,
    (ask, reason): (Operation, String),
    status: StatusCode,
    body: impl Fn(&Applied) -> Result<B, ApiError> + Send + Sync + 'static,
) -> Result<(Answered, ApiResponse), ApiError> {
    let asked = WriteRequest::one(ask).because(Some(reason));
    let prepared = write.prepare(asked, body_digest, move |made| answered(status, body(made)?));
    let committed = prepared.submit().await?;
    let reply = reply(&committed.answer, committed.replayed, None)?;
    Ok((committed, reply))
}

fn answered(status: StatusCode, body: impl serde::Serialize) -> Result<RenderedAnswer, ApiError> {
    answer(status, &body)
}

/// A record that a commit wrote but does not contain. This cannot happen.
pub(super) fn lost() -> ApiError {
    ApiError::new(Code::Internal, "The record was written but cannot be read back.")
}
