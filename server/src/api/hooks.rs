//! `/v1/hooks/{hook}`: where other systems tell that something is wrong.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::{HttpRequest, web};
use ripcord_proto::limits;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::rest::triggers::HookResponse;

use super::services::AppState;
use crate::http::body::collect;
use crate::http::{ApiError, ApiResponse};
use crate::trigger::Triggers;
use crate::trigger::signature::SignatureHeaders;

/// Takes a signal for a trigger: an Alertmanager webhook, an event of PagerDuty, or JSON, as the trigger says.
///
/// It carries no key of this server, and proves itself by the trigger's own secret: as `Authorization: Bearer …`, or as
/// `Ripcord-Signature: t=SECONDS,v1=HEX` with the HMAC-SHA256 of `SECONDS`, a dot and the body, at most five minutes old; PagerDuty's
/// own `X-PagerDuty-Signature` is taken too. The answer says at once what it came to. A body is at most 1 MiB.
#[utoipa::path(post, path = "/v1/hooks/{hook}", tag = "triggers", security(()),
    params(("hook" = String, Path, description = "ENVIRONMENT.TRIGGER, as the trigger's making told", example = "production.error-rate"),
        ("Ripcord-Signature" = Option<String>, Header, description = "t=SECONDS,v1=HEX"), ("X-PagerDuty-Signature" = Option<String>, Header, description = "v1=HEX")),
    request_body(content = Object, example = json!({"version": "4", "groupKey": "{}:{alertname=\"HighErrorRate\"}", "status": "firing", "alerts": [{"status": "firing", "labels": {"alertname": "HighErrorRate", "severity": "page"}, "startsAt": "2026-11-24T14:02:00Z"}]})),
    responses((status = 200, description = "What it came to", body = HookResponse), (status = 401, description = "It is forged, or too old", body = Problem), (status = "4XX", body = Problem)))]
pub(super) async fn take(hook: web::Path<String>, request: HttpRequest, payload: web::Payload, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
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
    let answer: HookResponse = app.triggers().deliver(&hook, &proof, body).await?;
    ApiResponse::ok(&answer)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
