//! `settings`: the settings of an environment that apply to all of its flags.

use actix_web::http::StatusCode;
use ripcord_proto::ValidationErrors;
use ripcord_proto::rest::responses::WriteResponse;
use ripcord_proto::rest::settings::{SettingsRequest, SettingsView};

use super::preconditions::of_environment;
use super::services::guarded::{EnvironmentReader, Guarded};
use super::write::{Write, WriteRequest, reply, written_with};
use crate::access::permit::{Administer, Read};
use crate::commit::Operation;
use crate::http::documented::{MaybeProposed, Problems, WriteHeaders};
use crate::http::{ApiError, ApiResponse, Body};

/// The environment's settings.
#[utoipa::path(get, path = "/v1/environments/{env}/settings", tag = "settings", operation_id = "getSettings", params(crate::api::path::EnvironmentPath),
    responses((status = 200, description = "The settings", body = SettingsView), Problems))]
pub(super) async fn get(environment: Guarded<Read, EnvironmentReader>) -> Result<ApiResponse, ApiError> {
    let (served, stale) = (environment.served()?, environment.stale());
    let position = served.snapshot.position;
    let view = SettingsView {
        epoch: position.epoch,
        revision: position.revision,
        settings: served.snapshot.settings.clone(),
        stale: stale.is_some(),
    };
    Ok(ApiResponse::ok(&view)?.etag(position).stale(stale))
}

/// Changes the settings. A different bucketing generation re-buckets all users, which the request must acknowledge.
#[utoipa::path(put, path = "/v1/environments/{env}/settings", tag = "settings", operation_id = "putSettings",
    params(crate::api::path::EnvironmentPath, crate::http::query::WriteQuery, WriteHeaders),
    request_body(content = SettingsRequest, example = json!({"bucketing": "v2", "reassign_users": true, "reason": "our flagd clients bucket by v2"})),
    responses((status = 200, description = "Changed, or unchanged", body = WriteResponse), MaybeProposed, Problems))]
pub(super) async fn put(write: Write<Administer>, body: Body<SettingsRequest>) -> Result<ApiResponse, ApiError> {
    let present = write.part::<EnvironmentReader>().served()?.snapshot.settings.bucketing;
    let (ask, warnings) = if present == body.value.bucketing {
        (Operation::PutSettings(body.value.settings()), Vec::new())
    } else {
        let ask = rebuckets(&body.value).map_err(ApiError::invalid)?;
        let warnings: Vec<String> = warning(&ask).into_iter().collect();
        (ask, warnings)
    };
    let asked = WriteRequest::one(ask).under(of_environment(write.condition)?).because(body.value.reason);
    let (wait, confirmations) = (write.wait(), write.confirmations());
    let prepared = write.prepare(asked, &body.digest, move |made| {
        let warnings = if made.changes.is_empty() { Vec::new() } else { warnings.clone() };
        written_with(made, StatusCode::OK, warnings)
    });
    let committed = prepared.submit().await?;
    let confirmation = confirmations.of_revision(committed.position, wait).await;
    Ok(reply(&committed.answer, committed.replayed, confirmation)?.etag(committed.position))
}

/// The operation of a request that acknowledges its effect.
pub(super) fn rebuckets(request: &SettingsRequest) -> Result<Operation, ValidationErrors> {
    if request.reassign_users {
        return Ok(Operation::PutSettings(request.settings()));
    }
    Err(ValidationErrors::one(
        "reassign_users",
        "must be true: a different bucketing generation gives most users of a split a different variant. Preview it with commits/plan",
    ))
}

/// A warning about an operation that succeeds.
pub(super) fn warning(ask: &Operation) -> Option<String> {
    let text = "Changing the bucketing generation re-buckets all users: most users of a split get a different variant.";
    matches!(ask, Operation::PutSettings(_)).then(|| text.to_owned())
}
