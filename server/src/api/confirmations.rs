//! `confirmations/{revision}`: which applications have confirmed a revision or a provisional kill, how fast, and which are missing.

use actix_web::web;
use ripcord_proto::KillId;
use ripcord_proto::confirmation::Confirmation;
use ripcord_proto::problem::Code;

use super::revisions::position;
use super::services::confirmations::Confirmations;
use super::services::guarded::{EnvironmentReader, Guarded};
use crate::access::permit::Read;
use crate::fleet::ConfirmationTarget;
use crate::http::documented::Problems;
use crate::http::query::{Query, Wait};
use crate::http::{ApiError, ApiResponse};

/// Query of `GET confirmations/{revision}`.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ConfirmationQuery {
    /// How long to wait for all applications: `2s`, `500ms`, at most `60s`.
    #[param(value_type = Option<String>, example = "2s")]
    wait: Option<Wait>,
}

/// Who has confirmed a revision, over all reachable nodes. A provisional kill has no revision; use its id.
#[utoipa::path(get, path = "/v1/environments/{env}/confirmations/{key}", tag = "confirmations", operation_id = "getConfirmation",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "A revision, epoch:revision, or a provisional kill's id", example = "42"), ConfirmationQuery),
    responses((status = 200, description = "The confirmation so far", body = Confirmation), Problems))]
pub(super) async fn get(
    guarded: Guarded<Read, (EnvironmentReader, Confirmations)>,
    path: web::Path<(String, String)>,
    query: Query<ConfirmationQuery>,
) -> Result<ApiResponse, ApiError> {
    let (environment, confirmations) = &*guarded;
    let ((_, text), Query(query)) = (path.into_inner(), query);
    let target = if text.starts_with("k_") {
        ConfirmationTarget::Kill(KillId::new(text.clone()).map_err(|faults| ApiError::bad_parameter("revision", faults))?)
    } else {
        ConfirmationTarget::Revision(position("revision", &text, environment.served()?.snapshot.position)?)
    };
    let confirmation = confirmations.of(&target, query.wait).await;
    let confirmation = confirmation.ok_or_else(|| {
        let detail = format!("No confirmations of {text}: this node has not served it since it started.");
        ApiError::new(Code::NotFound, detail)
    })?;
    Ok(ApiResponse::ok(&confirmation)?.stale(environment.stale()))
}
