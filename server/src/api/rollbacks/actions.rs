//! `rollbacks/{id}/stop`, `resume` and `review`: actions on an existing rollback.

use actix_web::http::StatusCode;
use ripcord_proto::RollbackId;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::Code;
use ripcord_proto::rest::kills::ReasonRequest;
use ripcord_proto::rest::rollback_acts::{ResumeRequest, ReviewRequest};
use ripcord_proto::rollback::Rollback;

use crate::access::permit::RollBack;
use crate::api::path::PathKey;
use crate::api::services::rollbacks::Rollbacks;
use crate::api::write::{Answered, Write, WriteRequest, reply};
use crate::commit::{Applied, RenderedAnswer};
use crate::http::documented::{MaybeProposed, Problems, WriteHeaders};
use crate::http::query::{Wait, WriteQuery};
use crate::http::{ApiError, ApiResponse, Body, OptionalBody};
use crate::rollback::WrongRollbackState;
use crate::rollback::actions::{self, ResumePace};
use crate::rollback::{self, review};

/// Stops a staged rollback at its current step.
#[utoipa::path(post, path = "/v1/environments/{env}/rollbacks/{key}/stop", tag = "rollbacks", operation_id = "stopRollback",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The rollback's id", example = "rb_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "the cause lies elsewhere"})),
    responses((status = 200, description = "Stopped", body = Rollback), MaybeProposed, Problems))]
pub(in crate::api) async fn stop(write: Write<RollBack>, id: PathKey<RollbackId>, body: OptionalBody<ReasonRequest>) -> Result<ApiResponse, ApiError> {
    let reason = body.value.map(|body| body.reason);
    let environment = write.permit.environment().clone();
    amend(write, id, (reason, &body.digest), |rollback| actions::stopped(rollback, &environment)).await
}

/// Resumes a stopped staged rollback, or completes it at once; repeats the checks of a failed one.
#[utoipa::path(post, path = "/v1/environments/{env}/rollbacks/{key}/resume", tag = "rollbacks", operation_id = "resumeRollback",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The rollback's id", example = "rb_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = Option<ResumeRequest>, example = json!({"now": true})),
    responses((status = 200, description = "Resumed", body = Rollback), MaybeProposed, Problems))]
pub(in crate::api) async fn resume(write: Write<RollBack>, id: PathKey<RollbackId>, body: OptionalBody<ResumeRequest>) -> Result<ApiResponse, ApiError> {
    let ResumeRequest { now, reason } = body.value.unwrap_or_default();
    let pace = if now { ResumePace::Now } else { ResumePace::Steps };
    let (environment, at) = (write.permit.environment().clone(), write.now());
    amend(write, id, (reason, &body.digest), |rollback| actions::resumed(rollback, pace, at, &environment)).await
}

/// Records the review of a rollback.
#[utoipa::path(post, path = "/v1/environments/{env}/rollbacks/{key}/review", tag = "rollbacks", operation_id = "reviewRollback",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The rollback's id", example = "rb_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = ReviewRequest, example = json!({"note": "the new tax service timed out; the flag needs a canary step"})),
    responses((status = 200, description = "Noted", body = Rollback), MaybeProposed, Problems))]
pub(in crate::api) async fn review(write: Write<RollBack>, id: PathKey<RollbackId>, body: Body<ReviewRequest>) -> Result<ApiResponse, ApiError> {
    let (by, at, note) = (write.permit.author().actor, write.now(), body.value.note);
    let reason = Some(note.clone());
    amend(write, id, (reason, &body.digest), |rollback| {
        review::reviewed(rollback, by.clone(), note.clone(), at)
    })
    .await
}

async fn amend(
    write: Write<RollBack>,
    PathKey(id): PathKey<RollbackId>,
    (reason, body): (Option<String>, &Digest),
    change: impl Fn(&Rollback) -> Result<Rollback, WrongRollbackState>,
) -> Result<ApiResponse, ApiError> {
    let (wait, rollbacks) = (write.wait(), write.part::<Rollbacks>());
    let prepared = write.prepare(WriteRequest::default().because(reason), body, recorded);
    let committed = Answered::of(rollbacks.amend(prepared.draft(), &id, change).await?, &prepared.draft().renderer)?;
    match wait {
        Some(Wait(patience)) => ApiResponse::ok(&rollbacks.reader().settled(&id, patience).await?),
        None => reply(&committed.answer, committed.replayed, None),
    }
}

/// The recorded rollback.
fn recorded(made: &Applied) -> Result<RenderedAnswer, ApiError> {
    let record = rollback::answer_of(made).ok_or_else(|| ApiError::new(Code::Internal, "Nothing was recorded."))?;
    Ok(RenderedAnswer {
        status: StatusCode::OK.as_u16(),
        body: record.json().to_owned(),
    })
}
