//! `/v1/outcomes`: what applications report.

use actix_web::http::StatusCode;
use ripcord_proto::outcome::OutcomeBatch;
use ripcord_proto::rest::outcomes::OutcomesAccepted;

use super::services::guarded::{EnvironmentReader, Guarded};
use crate::access::permit::Report;
use crate::http::documented::Problems;
use crate::http::{ApiError, ApiResponse, Body};
use crate::outcome::BatchResult;
use crate::outcome::Outcomes;

/// Counts what an application has served since its last batch. A batch that is sent again is counted only once.
#[utoipa::path(post, path = "/v1/outcomes", tag = "outcomes", operation_id = "reportOutcomes",
    params(("environment" = Option<String>, Query, description = "The environment, for keys valid in several", example = "production")),
    request_body(content = OutcomeBatch, example = json!({"instance_id": "b7f0", "batch": 1, "counts": [{"flag": "checkout-v2", "variant": "on", "evaluations": 120, "successes": 118, "errors": 2, "latencies_us": [[42_000, 119], [910_000, 1]], "numbers": {"basket": {"count": 2, "sum": 51.5, "squares": 1_426.25}}}]})),
    responses((status = 202, description = "Counted", body = OutcomesAccepted), Problems))]
pub(super) async fn report(guarded: Guarded<Report, (EnvironmentReader, Outcomes)>, body: Body<OutcomeBatch>) -> Result<ApiResponse, ApiError> {
    let (environment, outcomes) = &*guarded;
    let served = environment.served()?;
    let counted = outcomes.count(environment.key(), guarded.permit().caller(), &body.value, &served.snapshot, environment.now());
    let taken = match counted {
        BatchResult::New { unknown } => OutcomesAccepted { again: false, unknown },
        BatchResult::Again => OutcomesAccepted { again: true, unknown: 0 },
    };
    ApiResponse::json(StatusCode::ACCEPTED, &taken)
}
