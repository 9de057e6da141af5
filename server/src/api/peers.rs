//! The exchange between nodes. Callers prove that they know the shared secret; keys are not accepted here.

use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, web};
use ripcord_proto::problem::Code;

use super::services::AppState;
use super::services::guarded::{Open as _, PeerExchange, Unguarded};
use crate::access::Access;
use crate::fleet::ConfirmationQuestion;
use crate::http::body::collect;
use crate::http::{ApiError, ApiResponse, error};
use crate::peer::PeerSync;

/// Longest wait of a peer.
const LONGEST: Duration = Duration::from_mins(1);
/// Largest message of a peer, in bytes.
const BYTES: usize = 16 * 1024 * 1024;
/// Largest question about confirmations, in bytes.
const QUESTION_BYTES: usize = 16 * 1024;

/// Takes in a peer's kills and answers with this node's.
pub(super) async fn sync(request: HttpRequest, theirs: web::Payload, Unguarded(exchange): Unguarded<PeerExchange>) -> Result<ApiResponse, ApiError> {
    let theirs: PeerSync = read(&collect(&request, theirs, BYTES).await?)?;
    ApiResponse::ok(&exchange.kills.answer_peer(&theirs).await)
}

/// Reports who has confirmed something on this node: at once if all have, else when the peer's time limit is over.
pub(super) async fn confirmations(request: HttpRequest, question: web::Payload, Unguarded(exchange): Unguarded<PeerExchange>) -> Result<ApiResponse, ApiError> {
    let question: ConfirmationQuestion = read(&collect(&request, question, QUESTION_BYTES).await?)?;
    let patience = Duration::from_millis(question.patience_ms).min(LONGEST);
    let report = exchange.fleet.settled(&question.environment, &question.target, patience).await;
    let report = report.ok_or_else(|| ApiError::new(Code::NotFound, "This node has not served it since it started."))?;
    ApiResponse::ok(&report)
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::new(Code::ParseError, format!("Malformed message of a peer: {error}.")))
}

/// Counts a wrong secret like a wrong key: of those from one address, only so many are answered at a time.
fn counted(request: &ServiceRequest, secret: &str) -> Option<ApiError> {
    let access = request.app_data::<web::Data<Access>>().filter(|_| !secret.is_empty())?;
    let address = request.peer_addr().map(|address| address.ip());
    access.limits().wrong_key(address).err().map(ApiError::from)
}

/// The middleware around the paths of peers: verifies the secret before a byte of the body is read. Bodies are read as they are:
/// peers do not compress them, and a stranger's must not be unpacked.
pub(super) async fn only_peers(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, Error> {
    let app = request.app_data::<web::Data<AppState>>().map(|app| PeerExchange::open(app));
    let Some(exchange) = app.filter(|exchange| exchange.peers.is_configured()) else {
        let unknown = error::unknown_path(request.path());
        return Ok(request.error_response(unknown));
    };
    let presented = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let secret = presented.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if !exchange.peers.is_peer(secret) {
        let refusal = counted(&request, secret)
            .unwrap_or_else(|| ApiError::new(Code::Unauthenticated, "This path is for peers. Both nodes need the same RIPCORD_PEER_SECRET."));
        return Ok(request.error_response(refusal.with_header(header::CONNECTION, HeaderValue::from_static("close"))));
    }
    next.call(request).await.map(ServiceResponse::map_into_boxed_body)
}
