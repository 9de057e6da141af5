//! `settings`: what an environment fixes for all of its flags.

use actix_web::http::StatusCode;
use actix_web::web;
use ripcord_proto::ValidationErrors;
use ripcord_proto::problem::Problem;
use ripcord_proto::rest::responses::WriteResponse;
use ripcord_proto::rest::settings::{SettingsRequest, SettingsView};

use super::confirm::Subject;
use super::services::AppState;
use super::write::{Write, WriteRequest, of_environment, reply, written_with};
use crate::access::Permit;
use crate::access::permit::{Administer, Read};
use crate::commit::Operation;
use crate::http::{ApiError, ApiResponse, Body};

/// The environment's settings.
#[utoipa::path(get, path = "/v1/environments/{env}/settings", tag = "settings", params(("env" = String, Path, example = "production")),
    responses((status = 200, description = "The settings", body = SettingsView), (status = "4XX", body = Problem)))]
pub(super) async fn get(permit: Permit<Read>, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    let (served, stale) = (app.served(&permit)?, app.stale());
    let position = served.snapshot.position;
    let view = SettingsView {
        epoch: position.epoch,
        revision: position.revision,
        settings: served.snapshot.settings,
        stale: stale.is_some(),
    };
    Ok(ApiResponse::ok(&view)?.etag(position).stale(stale))
}

/// Puts the settings. Another bucketing generation re-buckets everybody; the request must say that this is known.
#[utoipa::path(put, path = "/v1/environments/{env}/settings", tag = "settings",
    params(("env" = String, Path, example = "production"), crate::http::query::WriteQuery),
    request_body(content = SettingsRequest, example = json!({"bucketing": "v2", "rebuckets_everybody": true, "reason": "our flagd clients bucket by v2"})),
    responses((status = 200, description = "Changed, or so already", body = WriteResponse), (status = "4XX", body = Problem)))]
pub(super) async fn put(write: Write<Administer>, body: Body<SettingsRequest>, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    let ask = if app.has_settings(&write.permit, body.value.settings())? {
        Operation::PutSettings(body.value.settings())
    } else {
        rebuckets(&body.value).map_err(ApiError::invalid)?
    };
    let warnings: Vec<String> = warning(&ask).into_iter().collect();
    let asked = WriteRequest::one(ask).under(of_environment(write.condition)?).because(body.value.reason);
    let wait = write.wait();
    let prepared = write.prepare(asked, &body.digest, move |made| {
        let warnings = if made.changes.is_empty() { Vec::new() } else { warnings.clone() };
        written_with(made, StatusCode::OK, warnings)
    });
    let environment = prepared.environment().clone();
    let committed = app.submit(prepared).await?;
    let confirmation = app.confirmed(&environment, Subject::Revision(committed.position), wait).await;
    Ok(reply(&committed.answer, committed.replayed, confirmation)?.etag(committed.position))
}

/// The ask for settings whose caller says that he knows what they do.
pub(super) fn rebuckets(request: &SettingsRequest) -> Result<Operation, ValidationErrors> {
    if request.rebuckets_everybody {
        return Ok(Operation::PutSettings(request.settings()));
    }
    Err(ValidationErrors::one(
        "rebuckets_everybody",
        "must be true: another bucketing generation gives most users of a split another variant. Plan it with commits/plan first",
    ))
}

/// What the caller should know of an ask although all goes well.
pub(super) fn warning(ask: &Operation) -> Option<String> {
    match ask {
        Operation::PutSettings(_) => Some("A change of the bucketing generation re-buckets everybody: most users of a split get another variant.".to_owned()),
        Operation::PutFlag(..)
        | Operation::DeleteFlag(_)
        | Operation::SetEnabled(..)
        | Operation::PutSegment(..)
        | Operation::DeleteSegment(_)
        | Operation::Kill(_)
        | Operation::Merge(_)
        | Operation::Withdraw(_)
        | Operation::Restore(_)
        | Operation::GiveReason(..)
        | Operation::Driven(_)
        | Operation::PutRecord(..)
        | Operation::DeleteRecord(..)
        | Operation::Decide(_)
        | Operation::DecideNow(_)
        | Operation::Ping(_)
        | Operation::Rollback(_) => None,
    }
}
