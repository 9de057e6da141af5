//! `/v1/outcomes`: what applications report.

use actix_web::http::StatusCode;
use actix_web::web;
use ripcord_proto::outcome::OutcomeBatch;
use ripcord_proto::problem::Problem;
use ripcord_proto::rest::outcomes::OutcomesAccepted;

use super::services::AppState;
use crate::access::Permit;
use crate::access::permit::Report;
use crate::http::{ApiError, ApiResponse, Body};
use crate::outcome::BatchResult;

/// Takes the counts of an application since its last batch. A batch that is sent again is counted once.
#[utoipa::path(post, path = "/v1/outcomes", tag = "outcomes",
    params(("environment" = Option<String>, Query, description = "For keys of several environments", example = "production")),
    request_body(content = OutcomeBatch, example = json!({"instance_id": "b7f0", "batch": 1, "counts": [{"flag": "checkout-v2", "variant": "on", "evaluations": 120, "successes": 118, "errors": 2, "latencies_us": [[42_000, 119], [910_000, 1]], "numbers": {"basket": {"count": 2, "sum": 51.5, "squares": 1_426.25}}}]})),
    responses((status = 202, description = "Taken", body = OutcomesAccepted), (status = "4XX", body = Problem)))]
pub(super) async fn report(permit: Permit<Report>, body: Body<OutcomeBatch>, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    let served = app.served_to_reporters(&permit)?;
    let counted = app.outcomes().count(permit.environment(), &body.value, &served.snapshot, app.now());
    let taken = match counted {
        BatchResult::New { unknown } => OutcomesAccepted { again: false, unknown },
        BatchResult::Again => OutcomesAccepted { again: true, unknown: 0 },
    };
    ApiResponse::json(StatusCode::ACCEPTED, &taken)
}
