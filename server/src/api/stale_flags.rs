//! `stale-flags`: flags that may have had their day.

use actix_web::web;
use ripcord_proto::problem::Problem;
use ripcord_proto::rest::stale_flags::StaleFlags;

use super::services::AppState;
use crate::access::Permit;
use crate::access::permit::Read;
use crate::http::{ApiError, ApiResponse};
use crate::outcome;

/// Flags that are served by one variant only, that nobody evaluates, or whose time is up, with what this node has counted.
#[utoipa::path(get, path = "/v1/environments/{env}/stale-flags", tag = "flags",
    params(("env" = String, Path, example = "production")),
    responses((status = 200, description = "The flags and the evidence", body = StaleFlags), (status = "4XX", body = Problem)))]
pub(super) async fn list(permit: Permit<Read>, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    let (served, stale) = (app.served(&permit)?, app.stale());
    let outcomes = app.outcomes();
    let answer = StaleFlags {
        node: app.node().to_owned(),
        counted_since: outcomes.since(),
        items: outcome::stale(&served.snapshot, &outcomes.totals(permit.environment()), app.now()),
        stale: stale.is_some(),
    };
    Ok(ApiResponse::ok(&answer)?.etag(served.snapshot.position).stale(stale))
}
