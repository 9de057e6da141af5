//! `POST /v1/stream/ack`: acknowledgements of event stream readers.

use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, web};
use ripcord_proto::frame::Ack;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::role::Action;
use ripcord_proto::{Position, limits};

use super::hello::StreamQuery;
use super::shared::StreamRequest;
use super::sse::HubHandle;
use crate::fleet::MemberIdentity;
use crate::http::ApiError;
use crate::http::body::collect;
use crate::http::documented::Problems;

/// The body: an acknowledgement and the instance that sends it.
#[derive(Debug, serde::Deserialize)]
struct Posted {
    instance_id: String,
    #[serde(flatten)]
    ack: Ack,
}

/// Largest body, in bytes.
const BODY_BYTES: usize = 64 * 1024;

/// Whether a body is an acknowledgement.
pub fn is_acknowledgement(body: &[u8]) -> bool {
    serde_json::from_slice::<Posted>(body).is_ok()
}

/// An event stream reader acknowledges the revision that it now evaluates at, with the key that opened its stream.
#[utoipa::path(post, path = "/v1/stream/ack", tag = "streams", operation_id = "acknowledgeFrame",
    params(("environment" = Option<String>, Query, description = "The environment, for keys valid in several")),
    request_body(content = ref("#/components/schemas/AckRequest"), content_type = "application/json"),
    responses(
        (status = 204, description = "Counted"), (status = 404, description = "No open stream of this instance", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The content hash differs; reopen the stream without a revision", body = Problem, content_type = "application/problem+json"), Problems))]
pub(super) async fn acknowledge(request: HttpRequest, body: web::Payload, hub: web::Data<HubHandle>) -> Result<HttpResponse, ApiError> {
    let shared = &hub.0.shared;
    let query = StreamQuery::parse(request.query_string());
    let asked = StreamRequest {
        headers: request.headers(),
        address: request.peer_addr().map(|address| address.ip()),
        environment: query.environment.as_deref(),
    };
    let granted = shared.authorised(asked, Action::Report)?;
    let body = collect(&request, body, BODY_BYTES).await?;
    let feed = &granted.feed;
    let Posted { instance_id, ack } = serde_json::from_slice(&body).map_err(|error| {
        let detail = format!("Malformed acknowledgement: {error}. Send instance_id, epoch, revision, hash and, if there are any, kills.");
        ApiError::new(Code::ParseError, detail)
    })?;
    if ack.kills.len() > limits::ACK_KILLS {
        let detail = format!(
            "An acknowledgement names at most {} kills; this one names {}.",
            limits::ACK_KILLS,
            ack.kills.len()
        );
        return Err(ApiError::new(Code::BadRequest, detail));
    }
    let at = Position {
        epoch: ack.epoch,
        revision: ack.revision,
    };
    let head = feed.head();
    if at == head.position() && ack.hash != head.served.hash {
        let detail = format!(
            "The content hash at {at} is {}. Reopen the stream without a revision to get a snapshot.",
            head.served.hash
        );
        return Err(ApiError::new(Code::StaleRevision, detail));
    }
    let now = Instant::now();
    let who = MemberIdentity::native(&granted.key_id, &instance_id);
    if !shared.fleet.acknowledged(&feed.environment, &who, at, &ack.kills, now) {
        let detail = format!("This key has no open stream of instance {instance_id:?} on this node. Open one before acknowledging.");
        return Err(ApiError::new(Code::NotFound, detail));
    }
    if at == head.position() {
        feed.metrics.propagation.record(now.saturating_duration_since(head.at).as_secs_f64());
    }
    Ok(HttpResponse::NoContent().finish())
}
