//! `rollbacks/{id}/undo`: roll forward again, under the same guards.

use ripcord_proto::RollbackId;
use ripcord_proto::rest::rollback_acts::UndoRequest;
use ripcord_proto::rest::rollbacks::{ExecutionOptions, RollbackPlan};
use ripcord_proto::role::Action;
use ripcord_proto::rollback::Rollback;

use super::create::{answered, recorded};
use crate::access::permit::{Read, RollBack};
use crate::api::path::PathKey;
use crate::api::services::rollbacks::{RollbackReader, Rollbacks};
use crate::api::write::{Write, WriteRequest};
use crate::http::documented::{MaybeProposed, Problems, WriteHeaders};
use crate::http::query::{Reason, WriteQuery};
use crate::http::{ApiError, ApiResponse, OptionalBody, heavy};
use crate::impact::SampleUsers;
use crate::rollback::RollbackSpec;

/// Undoes a rollback: the flags are as they were before it. The undo is a rollback of its own, under the same guards, and marks the first
/// one as undone.
#[utoipa::path(post, path = "/v1/environments/{env}/rollbacks/{key}/undo", tag = "rollbacks", operation_id = "undoRollback",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The rollback's id", example = "rb_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = Option<UndoRequest>, example = json!({"reason": "fixed in 2.1.1"})),
    responses((status = 201, description = "Committed", body = Rollback), MaybeProposed, Problems))]
pub(in crate::api) async fn create(write: Write<RollBack>, id: PathKey<RollbackId>, body: OptionalBody<UndoRequest>) -> Result<ApiResponse, ApiError> {
    let PathKey(id) = id;
    let asked = body.value.unwrap_or_default().execution;
    if !asked.acknowledge_one_way.is_empty() {
        write.permit.also(&[Action::PassOneWay])?;
    }
    let (wait, plan) = (write.wait(), asked.plan);
    let (rollbacks, confirmations) = (write.part::<Rollbacks>(), write.confirmations());
    let mut spec = spec(&id, asked);
    spec.reason = spec.reason.or_else(|| write.query.reason.clone().map(Reason::into_text));
    spec.options.allow_killed_edit |= write.query.allow_killed_edit;
    let asked = WriteRequest {
        plan,
        ..WriteRequest::default()
    };
    let prepared = write.prepare(asked, &body.digest, recorded);
    let done = rollbacks.undo(prepared.draft(), &spec, &id).await?;
    answered(rollbacks.reader(), &confirmations, done, wait).await
}

/// What undoing a rollback would do, and the hash that makes it do exactly that. Changes nothing.
#[utoipa::path(post, path = "/v1/environments/{env}/rollbacks/{key}/undo/plan", tag = "rollbacks", operation_id = "planUndo",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The rollback's id", example = "rb_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = Option<UndoRequest>, example = json!({"include_conflicts": true})),
    responses((status = 200, description = "What would happen", body = RollbackPlan), Problems))]
pub(in crate::api) async fn plan(write: Write<Read>, id: PathKey<RollbackId>, body: OptionalBody<UndoRequest>) -> Result<ApiResponse, ApiError> {
    let PathKey(id) = id;
    let spec = spec(&id, body.value.unwrap_or_default().execution);
    let rollbacks = write.part::<RollbackReader>();
    let author = write.permit.author();
    heavy(async move {
        let plan = rollbacks.plan(&author, &spec, SampleUsers::default()).await?;
        Ok(ApiResponse::ok(&plan)?.stale(rollbacks.stale()))
    })
    .await
}

fn spec(id: &RollbackId, asked: ExecutionOptions) -> RollbackSpec {
    RollbackSpec {
        options: asked.options,
        acknowledged: asked.acknowledge_one_way,
        acknowledged_checks: asked.acknowledge_checks,
        reason: asked.reason,
        ..RollbackSpec::undoing(id.clone())
    }
}
