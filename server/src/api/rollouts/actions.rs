//! Actions on a running rollout.

use actix_web::http::StatusCode;
use ripcord_proto::RolloutId;
use ripcord_proto::rest::kills::ReasonRequest;
use ripcord_proto::rollout::{Attribution, Rollout};

use super::recorded;
use crate::access::permit::{Allows, ApproveRollout, RunRollout, StopRollout};
use crate::api::path::PathKey;
use crate::api::services::guarded::OpenedBy;
use crate::api::write::{Write, WriteRequest, reply};
use crate::http::documented::{MaybeProposed, Problems, WriteHeaders};
use crate::http::query::{Wait, WriteQuery};
use crate::http::{ApiError, ApiResponse, OptionalBody};
use crate::rollout::Rollouts;
use crate::rollout::actions::{self, RolloutAction};

/// Pauses a rollout at its current step.
#[utoipa::path(post, path = "/v1/environments/{env}/rollouts/{key}/pause", tag = "rollouts", operation_id = "pauseRollout",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The rollout's id", example = "ro_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "looking at a report"})),
    responses((status = 200, description = "Paused", body = Rollout), Problems))]
pub(in crate::api) async fn pause(write: Write<StopRollout>, id: PathKey<RolloutId>, body: OptionalBody<ReasonRequest>) -> Result<ApiResponse, ApiError> {
    act(write, id, RolloutAction::Pause, body).await
}

/// Resumes a paused rollout.
#[utoipa::path(post, path = "/v1/environments/{env}/rollouts/{key}/resume", tag = "rollouts", operation_id = "resumeRollout",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The rollout's id", example = "ro_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "the report was about something else"})),
    responses((status = 200, description = "Resumed", body = Rollout), MaybeProposed, Problems))]
pub(in crate::api) async fn resume(write: Write<RunRollout>, id: PathKey<RolloutId>, body: OptionalBody<ReasonRequest>) -> Result<ApiResponse, ApiError> {
    act(write, id, RolloutAction::Resume, body).await
}

/// Starts the next step now. Skips the hold, the window and gates that cannot be evaluated, but not approvals and failing gates.
#[utoipa::path(post, path = "/v1/environments/{env}/rollouts/{key}/advance", tag = "rollouts", operation_id = "advanceRollout",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The rollout's id", example = "ro_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "we have seen enough"})),
    responses((status = 200, description = "The next step has started", body = Rollout), MaybeProposed, Problems))]
pub(in crate::api) async fn advance(write: Write<RunRollout>, id: PathKey<RolloutId>, body: OptionalBody<ReasonRequest>) -> Result<ApiResponse, ApiError> {
    act(write, id, RolloutAction::Advance, body).await
}

/// Ends a rollout and keeps the current exposure. The other rollouts of its release end too.
#[utoipa::path(post, path = "/v1/environments/{env}/rollouts/{key}/abort", tag = "rollouts", operation_id = "abortRollout",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The rollout's id", example = "ro_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "superseded"})),
    responses((status = 200, description = "Ended", body = Rollout), Problems))]
pub(in crate::api) async fn abort(write: Write<StopRollout>, id: PathKey<RolloutId>, body: OptionalBody<ReasonRequest>) -> Result<ApiResponse, ApiError> {
    act(write, id, RolloutAction::Abort, body).await
}

/// Ends a rollout and reverts what it changed, and only that. The other rollouts of its release are rolled back too.
#[utoipa::path(post, path = "/v1/environments/{env}/rollouts/{key}/rollback", tag = "rollouts", operation_id = "rollBackRollout",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The rollout's id", example = "ro_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "customers complain"})),
    responses((status = 200, description = "Rolled back", body = Rollout), Problems))]
pub(in crate::api) async fn rollback(write: Write<StopRollout>, id: PathKey<RolloutId>, body: OptionalBody<ReasonRequest>) -> Result<ApiResponse, ApiError> {
    act(write, id, RolloutAction::Rollback, body).await
}

/// Approves the next step that requires approval.
#[utoipa::path(post, path = "/v1/environments/{env}/rollouts/{key}/approve", tag = "rollouts", operation_id = "approveRollout",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The rollout's id", example = "ro_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "figures look fine"})),
    responses((status = 200, description = "Approved", body = Rollout), MaybeProposed, Problems))]
pub(in crate::api) async fn approve(write: Write<ApproveRollout>, id: PathKey<RolloutId>, body: OptionalBody<ReasonRequest>) -> Result<ApiResponse, ApiError> {
    act(write, id, RolloutAction::Approve, body).await
}

async fn act<A: Allows>(
    write: Write<A>,
    PathKey(id): PathKey<RolloutId>,
    act: RolloutAction,
    body: OptionalBody<ReasonRequest>,
) -> Result<ApiResponse, ApiError>
where
    Rollouts: OpenedBy<A>,
{
    let reason = body.value.map(|body| body.reason).or_else(|| write.given_reason());
    let word = Attribution {
        by: write.permit.author().actor,
        at: write.now(),
        reason: reason.clone(),
    };
    let rollouts = write.part::<Rollouts>();
    let (wait, environment) = (write.wait(), write.permit.environment().clone());
    let asked = WriteRequest::one(actions::operation(id.clone(), act, word)).because(reason);
    let prepared = write.prepare(asked, &body.digest, |made| recorded(made, StatusCode::OK));
    let committed = prepared.submit().await?;
    match wait {
        Some(Wait(patience)) => ApiResponse::ok(&rollouts.settled(&environment, &id, patience).await?),
        None => reply(&committed.answer, committed.replayed, None),
    }
}
