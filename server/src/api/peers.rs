//! The exchange between nodes. Callers prove that they know the shared secret; keys are not accepted here.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use ripcord_proto::problem::Code;

use super::services::guarded::{PeerExchange, Unguarded};
use crate::fleet::ConfirmationQuestion;
use crate::http::{ApiError, ApiResponse};
use crate::peer::PeerSync;

/// Longest wait of a peer.
const LONGEST: Duration = Duration::from_mins(1);
/// Largest message of a peer, in bytes.
pub(super) const BYTES: usize = 16 * 1024 * 1024;

/// Takes in a peer's kills and answers with this node's.
pub(super) async fn sync(request: HttpRequest, theirs: web::Bytes, Unguarded(exchange): Unguarded<PeerExchange>) -> Result<ApiResponse, ApiError> {
    check(&request, &exchange)?;
    let theirs: PeerSync = read(&theirs)?;
    ApiResponse::ok(&exchange.kills.answer_peer(theirs))
}

/// Reports who has confirmed something on this node: at once if all have, else when the peer's time limit is over.
pub(super) async fn confirmations(request: HttpRequest, question: web::Bytes, Unguarded(exchange): Unguarded<PeerExchange>) -> Result<ApiResponse, ApiError> {
    check(&request, &exchange)?;
    let question: ConfirmationQuestion = read(&question)?;
    let patience = Duration::from_millis(question.patience_ms).min(LONGEST);
    let report = exchange.fleet.settled(&question.environment, &question.target, patience).await;
    let report = report.ok_or_else(|| ApiError::new(Code::NotFound, "This node has not served it since it started."))?;
    ApiResponse::ok(&report)
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::new(Code::ParseError, format!("Malformed message of a peer: {error}.")))
}

fn check(request: &HttpRequest, exchange: &PeerExchange) -> Result<(), ApiError> {
    let presented = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let secret = presented.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if exchange.peers.is_peer(secret) {
        return Ok(());
    }
    Err(ApiError::new(
        Code::Unauthenticated,
        "This path is for peers. Both nodes need the same RIPCORD_PEER_SECRET.",
    ))
}
