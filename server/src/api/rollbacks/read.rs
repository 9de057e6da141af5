//! `rollbacks` and `rollbacks/{id}`: list and show rollbacks.

use std::time::Duration;

use ripcord_proto::RollbackId;
use ripcord_proto::rest::list::Page;
use ripcord_proto::rollback::{Rollback, RollbackState};

use crate::access::permit::Read;
use crate::api::page;
use crate::api::path::PathKey;
use crate::api::services::confirmations::Confirmations;
use crate::api::services::guarded::{EnvironmentReader, Guarded};
use crate::api::services::rollbacks::RollbackReader;
use crate::http::documented::Problems;
use crate::http::query::{PageQuery, Query, Wait};
use crate::http::{ApiError, ApiResponse};

/// The rollbacks, newest first.
#[utoipa::path(get, path = "/v1/environments/{env}/rollbacks", tag = "rollbacks", operation_id = "listRollbacks",
    params(crate::api::path::EnvironmentPath, PageQuery),
    responses((status = 200, description = "A page of rollbacks", body = Page<Rollback>), Problems))]
pub(in crate::api) async fn list(environment: Guarded<Read, EnvironmentReader>, query: Query<PageQuery>) -> Result<ApiResponse, ApiError> {
    let (records, stale, Query(query)) = (environment.records()?, environment.stale(), query);
    let newest_first = records.rollbacks.values().rev();
    let page = page::newest_first(newest_first, |rollback| rollback.id.as_str(), |rollback| rollback, &query, stale.is_some());
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// Query of `GET rollbacks/{id}`.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct RollbackQuery {
    /// How long to wait until it is confirmed, partial, failed, stopped or undone: `30s`, at most `60s`.
    #[param(value_type = Option<String>, example = "30s")]
    wait: Option<Wait>,
}

/// One rollback: its state and phases, who has confirmed it, and what can be done next. While it is in progress, its confirmation is the
/// current one.
#[utoipa::path(get, path = "/v1/environments/{env}/rollbacks/{key}", tag = "rollbacks", operation_id = "getRollback",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The rollback's id", example = "rb_01jd3x7q8v9w0y2z4a6b8c0d2e"), RollbackQuery),
    responses((status = 200, description = "The rollback", body = Rollback), Problems))]
pub(in crate::api) async fn get(
    guarded: Guarded<Read, (RollbackReader, Confirmations)>,
    id: PathKey<RollbackId>,
    query: Query<RollbackQuery>,
) -> Result<ApiResponse, ApiError> {
    let (rollbacks, confirmations) = &*guarded;
    let (PathKey(id), Query(query)) = (id, query);
    let patience = query.wait.map_or(Duration::ZERO, |Wait(patience)| patience);
    let rollback = rollbacks.settled(&id, patience).await?;
    let rollback = with_confirmation(confirmations, rollback).await;
    Ok(ApiResponse::ok(&rollback)?.stale(rollbacks.stale()))
}

/// The recorded confirmation is of the last change of state; while confirmations still arrive, the current one is looked up.
pub(super) async fn with_confirmation(confirmations: &Confirmations, mut rollback: Rollback) -> Rollback {
    if matches!(rollback.state, RollbackState::Committed | RollbackState::Partial) {
        let now = confirmations.of_revision(rollback.position(), None).await;
        rollback.confirmation = now.or(rollback.confirmation);
    }
    rollback
}
