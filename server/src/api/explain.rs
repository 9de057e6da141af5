//! `explain`: one evaluation, rule by rule.

use ripcord_proto::problem::Code;
use ripcord_proto::rest::explain::{ExplainRequest, Explanation};
use ripcord_sdk::engine::{Context, SinceContact};
use serde_json::Value;

use super::flags::no_flag;
use super::services::guarded::{EnvironmentReader, Guarded};
use crate::access::permit::Read;
use crate::http::documented::Problems;
use crate::http::{ApiError, ApiResponse, Body};

/// Evaluates a flag as an application would, and explains the result rule by rule, with the values that each condition saw.
#[utoipa::path(post, path = "/v1/environments/{env}/explain", tag = "evaluation", operation_id = "explainFlag", params(crate::api::path::EnvironmentPath),
    request_body(content = ExplainRequest, example = json!({"flag": "checkout-v2", "context": {"targetingKey": "user-7", "email": "ada@example.com"}})),
    responses((status = 200, description = "What is served, and why", body = Explanation), Problems))]
pub(super) async fn explain(environment: Guarded<Read, EnvironmentReader>, body: Body<ExplainRequest>) -> Result<ApiResponse, ApiError> {
    let (served, stale) = (environment.served()?, environment.stale());
    let ExplainRequest { flag, context } = body.value;
    if served.snapshot.flags.get(flag.as_str()).is_none() {
        return Err(no_flag(&served, &flag));
    }
    let explanation = served.compiled.explain(flag.as_str(), &Context::from_json(&context), SinceContact::FRESH);
    let kills = served.snapshot.kills_of(flag.as_str()).chain(served.overlay.kills.values());
    let kill = kills.filter(|kill| kill.covers(flag.as_str())).map(|kill| kill.id.clone()).next();
    let steps = explanation
        .steps
        .iter()
        .map(serde_json::to_value)
        .collect::<Result<Vec<_>, _>>()
        .map_err(unwritable)?;
    let explanation = Explanation {
        value: explanation.value.map_or(Ok(Value::Null), serde_json::to_value).map_err(unwritable)?,
        variant: explanation.variant.map(|variant| variant.to_string()),
        reason: explanation.reason.to_string(),
        rule: explanation.rule,
        kill,
        epoch: served.snapshot.position.epoch,
        revision: explanation.revision,
        steps,
        stale: stale.is_some(),
        flag,
    };
    Ok(ApiResponse::ok(&explanation)?.stale(stale))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn unwritable(error: serde_json::Error) -> ApiError {
    ApiError::new(Code::Internal, format!("The explanation could not be written: {error}."))
}
