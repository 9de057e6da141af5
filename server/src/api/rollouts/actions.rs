//! What is done to a rollout that was started.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use ripcord_proto::RolloutId;
use ripcord_proto::problem::Problem;
use ripcord_proto::rest::kills::ReasonRequest;
use ripcord_proto::rollout::{Attribution, Rollout};

use super::recorded;
use crate::access::permit::{Allows, ApproveRollout, RunRollout, StopRollout};
use crate::api::path::PathKey;
use crate::api::services::AppState;
use crate::api::write::{Write, WriteRequest, reply};
use crate::http::query::{Reason, Wait, WriteQuery};
use crate::http::{ApiError, ApiResponse, Body};
use crate::rollout::actions::{self, RolloutAction};

/// Holds a rollout where it is.
#[utoipa::path(post, path = "/v1/environments/{env}/rollouts/{key}/pause", tag = "rollouts",
    params(("env" = String, Path, example = "production"), ("key" = String, Path, description = "The rollout's id", example = "ro_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "looking at a report"})),
    responses((status = 200, description = "Held", body = Rollout), (status = "4XX", body = Problem)))]
pub(in crate::api) async fn pause(
    write: Write<StopRollout>,
    id: PathKey<RolloutId>,
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<AppState>,
) -> Result<ApiResponse, ApiError> {
    act(&app, write, id, RolloutAction::Pause, (&request, payload)).await
}

/// Lets a rollout go on from where it was held.
#[utoipa::path(post, path = "/v1/environments/{env}/rollouts/{key}/resume", tag = "rollouts",
    params(("env" = String, Path, example = "production"), ("key" = String, Path, description = "The rollout's id", example = "ro_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "the report was about something else"})),
    responses((status = 200, description = "It goes on", body = Rollout), (status = "4XX", body = Problem)))]
pub(in crate::api) async fn resume(
    write: Write<RunRollout>,
    id: PathKey<RolloutId>,
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<AppState>,
) -> Result<ApiResponse, ApiError> {
    act(&app, write, id, RolloutAction::Resume, (&request, payload)).await
}

/// Begins the next step now: the hold, the window and gates that cannot be told are passed over; approvals and gates that fail are not.
#[utoipa::path(post, path = "/v1/environments/{env}/rollouts/{key}/advance", tag = "rollouts",
    params(("env" = String, Path, example = "production"), ("key" = String, Path, description = "The rollout's id", example = "ro_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "we have seen enough"})),
    responses((status = 200, description = "Its next step begins", body = Rollout), (status = "4XX", body = Problem)))]
pub(in crate::api) async fn advance(
    write: Write<RunRollout>,
    id: PathKey<RolloutId>,
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<AppState>,
) -> Result<ApiResponse, ApiError> {
    act(&app, write, id, RolloutAction::Advance, (&request, payload)).await
}

/// Ends a rollout; exposure stays as it is. The other rollouts of its release end with it.
#[utoipa::path(post, path = "/v1/environments/{env}/rollouts/{key}/abort", tag = "rollouts",
    params(("env" = String, Path, example = "production"), ("key" = String, Path, description = "The rollout's id", example = "ro_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "superseded"})),
    responses((status = 200, description = "Ended", body = Rollout), (status = "4XX", body = Problem)))]
pub(in crate::api) async fn abort(
    write: Write<StopRollout>,
    id: PathKey<RolloutId>,
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<AppState>,
) -> Result<ApiResponse, ApiError> {
    act(&app, write, id, RolloutAction::Abort, (&request, payload)).await
}

/// Ends a rollout and puts back what it moved, and only that. The other rollouts of its release go back with it.
#[utoipa::path(post, path = "/v1/environments/{env}/rollouts/{key}/rollback", tag = "rollouts",
    params(("env" = String, Path, example = "production"), ("key" = String, Path, description = "The rollout's id", example = "ro_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "customers complain"})),
    responses((status = 200, description = "Taken back", body = Rollout), (status = "4XX", body = Problem)))]
pub(in crate::api) async fn rollback(
    write: Write<StopRollout>,
    id: PathKey<RolloutId>,
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<AppState>,
) -> Result<ApiResponse, ApiError> {
    act(&app, write, id, RolloutAction::Rollback, (&request, payload)).await
}

/// Approves the next step that asks for it.
#[utoipa::path(post, path = "/v1/environments/{env}/rollouts/{key}/approve", tag = "rollouts",
    params(("env" = String, Path, example = "production"), ("key" = String, Path, description = "The rollout's id", example = "ro_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "figures look fine"})),
    responses((status = 200, description = "Approved", body = Rollout), (status = "4XX", body = Problem)))]
pub(in crate::api) async fn approve(
    write: Write<ApproveRollout>,
    id: PathKey<RolloutId>,
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<AppState>,
) -> Result<ApiResponse, ApiError> {
    act(&app, write, id, RolloutAction::Approve, (&request, payload)).await
}

async fn act<A: Allows>(
    app: &AppState,
    write: Write<A>,
    PathKey(id): PathKey<RolloutId>,
    act: RolloutAction,
    (request, payload): (&HttpRequest, web::Payload),
) -> Result<ApiResponse, ApiError> {
    let body = Body::<Option<ReasonRequest>>::optional(request, payload).await?;
    let reason = body.value.map(|body| body.reason).or_else(|| write.query.reason.clone().map(Reason::into_text));
    let word = Attribution {
        by: write.permit.author().actor,
        at: app.now(),
        reason: reason.clone(),
    };
    let (wait, environment) = (write.wait(), write.permit.environment().clone());
    let asked = WriteRequest::one(actions::ask(id.clone(), act, word)).because(reason);
    let prepared = write.prepare(asked, &body.digest, |made| recorded(made, StatusCode::OK));
    let committed = app.submit(prepared).await?;
    match wait {
        Some(Wait(patience)) => ApiResponse::ok(&app.rollouts().settled(&environment, &id, patience).await?),
        None => reply(&committed.answer, committed.replayed, None),
    }
}
