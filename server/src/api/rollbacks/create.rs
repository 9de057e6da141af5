//! `POST rollbacks` and `POST rollbacks/plan`: roll back, or preview it.

use actix_web::http::StatusCode;
use jiff::Timestamp;
use ripcord_proto::ValidationErrors;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::rest::rollbacks::{PlanRequest, RollbackPlan, RollbackRequest};
use ripcord_proto::role::Action;
use ripcord_proto::rollback::Rollback;

use super::read::with_confirmation;
use crate::access::permit::{Read, RollBack};
use crate::api::services::confirmations::Confirmations;
use crate::api::services::rollbacks::{RollbackReader, Rollbacks};
use crate::api::write::{REPLAYED, Write, WriteRequest};
use crate::commit::{Applied, Operation, RenderedAnswer};
use crate::http::documented::{MaybeProposed, Problems, WriteHeaders};
use crate::http::query::{Wait, WriteQuery};
use crate::http::{ApiError, ApiResponse, Body, heavy};
use crate::impact::SampleUsers;
use crate::rollback::{self, CommittedRollback, RollbackSpec};

/// Returns the flags of a scope to an earlier state in one commit. It needs no approval unless the policy requires one. A review is due
/// afterwards.
#[utoipa::path(post, path = "/v1/environments/{env}/rollbacks", tag = "rollbacks", operation_id = "createRollback",
    params(crate::api::path::EnvironmentPath, WriteQuery, WriteHeaders),
    request_body(content = RollbackRequest, example = json!({"to": "last-known-good", "reason": "5xx since 14:02"})),
    responses((status = 201, description = "Committed", body = Rollback), MaybeProposed, Problems, (status = 503, description = "The store is away; `commands` makes the scope safe", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn create(write: Write<RollBack>, body: Body<RollbackRequest>) -> Result<ApiResponse, ApiError> {
    let request = body.value;
    if !request.execution.acknowledge_one_way.is_empty() {
        write.permit.also(&[Action::PassOneWay])?;
    }
    let mut spec = spec(&request, write.now())?;
    spec.reason = spec.reason.or_else(|| write.query.reason.clone().map(crate::http::query::Reason::into_text));
    spec.options.allow_killed_edit |= write.query.allow_killed_edit;
    let (wait, confirmations) = (write.wait(), write.confirmations());
    let rollbacks = write.part::<Rollbacks>();
    if let Some(call) = write.call(&body.digest)
        && let Some(done) = rollbacks.replayed(&call)?
    {
        return answered(rollbacks.reader(), &confirmations, done, wait).await;
    }
    let prepared = rollbacks.prepare(&write.permit.author(), &spec).await?;
    let asked = WriteRequest {
        operations: vec![Operation::Rollback(Box::new(prepared.reversal.clone()))],
        precondition: None,
        reason: Some(spec.in_words(&prepared.reversal.record.target)),
        plan: request.execution.plan,
        allow_killed_edit: spec.options.allow_killed_edit,
    };
    let draft = write.prepare(asked, &body.digest, recorded);
    let done = rollbacks.commit(draft.into_draft(), &prepared, &spec).await?;
    answered(rollbacks.reader(), &confirmations, done, wait).await
}

/// The answer to a committed rollback: its outcome within `wait`, or its current state.
pub(super) async fn answered(
    rollbacks: &RollbackReader,
    confirmations: &Confirmations,
    done: CommittedRollback,
    wait: Option<Wait>,
) -> Result<ApiResponse, ApiError> {
    let mut rollback = done.rollback;
    tracing::Span::current().record("revision", rollback.revision.0);
    if let Some(Wait(patience)) = wait {
        let phases = rollback.phases;
        rollback = rollbacks.settled(&rollback.id, patience).await?;
        rollback.phases.committed = rollback.phases.committed.or(phases.committed);
        rollback.phases.commit_ms = rollback.phases.commit_ms.or(phases.commit_ms);
    }
    let rollback = with_confirmation(confirmations, rollback).await;
    let reply = ApiResponse::json(StatusCode::CREATED, &rollback)?;
    Ok(if done.replayed { reply.header(REPLAYED, "true") } else { reply })
}

/// What a rollback would do, and the hash that makes it do exactly that. Changes nothing.
#[utoipa::path(post, path = "/v1/environments/{env}/rollbacks/plan", tag = "rollbacks", operation_id = "planRollback",
    params(crate::api::path::EnvironmentPath, WriteQuery, WriteHeaders),
    request_body(content = PlanRequest, example = json!({"to": "last-known-good", "flags": ["checkout-v2"], "population": 1000})),
    responses((status = 200, description = "What would happen", body = RollbackPlan), Problems))]
pub(in crate::api) async fn plan(write: Write<Read>, body: Body<PlanRequest>) -> Result<ApiResponse, ApiError> {
    let PlanRequest {
        rollback: request,
        sample,
        population,
    } = body.value;
    let spec = spec(&request, write.now())?;
    let population = population.and_then(|count| usize::try_from(count).ok()).map(SampleUsers::Synthetic);
    let users = sample.map(SampleUsers::Sample).or(population).unwrap_or_default();
    let rollbacks = write.part::<RollbackReader>();
    let author = write.permit.author();
    heavy(async move {
        let plan = rollbacks.plan(&author, &spec, users).await?;
        Ok(ApiResponse::ok(&plan)?.stale(rollbacks.stale()))
    })
    .await
}

fn spec(request: &RollbackRequest, now: Timestamp) -> Result<RollbackSpec, ApiError> {
    match request.detected_at {
        Some(detected) if detected > now => {
            let problem = format!("lies in the future: the server's time is {now}; give the time at which the problem was noticed");
            Err(ApiError::invalid(ValidationErrors::one("detected_at", problem)))
        }
        Some(_) | None => Ok(RollbackSpec::of(request)),
    }
}

/// The record that the commit wrote.
pub(super) fn recorded(made: &Applied) -> Result<RenderedAnswer, ApiError> {
    let record = rollback::answer_of(made).ok_or_else(|| ApiError::new(Code::Internal, "Nothing was recorded."))?;
    Ok(RenderedAnswer {
        status: StatusCode::CREATED.as_u16(),
        body: record.json().to_owned(),
    })
}
