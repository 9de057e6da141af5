//! `/v1/hooks/{hook}`: signals from other systems.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::{HttpRequest, web};
use ripcord_proto::limits;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::rest::triggers::HookResponse;

use super::services::guarded::Unguarded;
use crate::http::body::collect;
use crate::http::documented::Problems;
use crate::http::{ApiError, ApiResponse};
use crate::trigger::Triggers;
use crate::trigger::signature::SignatureHeaders;

/// Receives a signal for a trigger: an Alertmanager webhook, a PagerDuty event or JSON, depending on the trigger.
///
/// A signal needs no key. It is authenticated by the trigger's own secret: as `Authorization: Bearer …`, or as
/// `Ripcord-Signature: t=SECONDS,v1=HEX` with the HMAC-SHA256 of `SECONDS`, a dot and the body, at most five minutes old; PagerDuty's
/// own `X-PagerDuty-Signature` is accepted too. The answer says what the signal led to. A body has at most 1 MiB.
#[utoipa::path(post, path = "/v1/hooks/{hook}", tag = "triggers", operation_id = "sendSignal", security(()),
    params(("hook" = String, Path, description = "ENVIRONMENT.TRIGGER, as shown when the trigger was created", example = "production.error-rate"),
        ("Ripcord-Signature" = Option<String>, Header, description = "t=SECONDS,v1=HEX"), ("X-PagerDuty-Signature" = Option<String>, Header, description = "v1=HEX")),
    request_body(content = Object, example = json!({"version": "4", "groupKey": "{}:{alertname=\"HighErrorRate\"}", "status": "firing", "alerts": [{"status": "firing", "labels": {"alertname": "HighErrorRate", "severity": "page"}, "startsAt": "2026-11-24T14:02:00Z"}]})),
    responses((status = 200, description = "The result of the signal", body = HookResponse), (status = 401, description = "Forged or too old", body = Problem, content_type = "application/problem+json"), Problems))]
pub(super) async fn take(
    hook: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
    Unguarded(triggers): Unguarded<Triggers>,
) -> Result<ApiResponse, ApiError> {
    let body = collect(&request, payload, limits::SIGNAL_BYTES).await;
    let body = body.inspect_err(|error| {
        if error.problem().code == Code::TooLarge {
            Triggers::count_too_large();
        }
    })?;
    let header = |name: &str| text(request.headers(), name);
    let proof = SignatureHeaders {
        authorization: header(AUTHORIZATION.as_str()),
        signature: header("ripcord-signature"),
        pagerduty: header("x-pagerduty-signature"),
    };
    let answer: HookResponse = triggers.deliver(&hook, &proof, body).await?;
    ApiResponse::ok(&answer)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
