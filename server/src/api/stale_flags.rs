//! `stale-flags`: flags that look unused.

use ripcord_proto::rest::stale_flags::StaleFlags;

use super::services::guarded::{EnvironmentReader, Guarded, NodeName};
use crate::access::permit::Read;
use crate::http::documented::Problems;
use crate::http::{ApiError, ApiResponse};
use crate::outcome::{self, Outcomes};

/// Flags that serve one variant only, that are never evaluated, or that have expired, with the counts of this node.
#[utoipa::path(get, path = "/v1/environments/{env}/stale-flags", tag = "flags", operation_id = "listStaleFlags",
    params(crate::api::path::EnvironmentPath),
    responses((status = 200, description = "The flags and the evidence", body = StaleFlags), Problems))]
pub(super) async fn list(guarded: Guarded<Read, ((EnvironmentReader, NodeName), Outcomes)>) -> Result<ApiResponse, ApiError> {
    let ((environment, node), outcomes) = &*guarded;
    let (served, stale) = (environment.served()?, environment.stale());
    let answer = StaleFlags {
        node: node.0.clone(),
        counted_since: outcomes.since(),
        items: outcome::stale(&served.snapshot, &outcomes.totals(environment.key()), environment.now()),
        stale: stale.is_some(),
    };
    Ok(ApiResponse::ok(&answer)?.etag(served.snapshot.position).stale(stale))
}
