//! What nodes tell each other. Callers prove that they know the shared secret; keys are worth nothing here.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use ripcord_proto::problem::Code;

use super::services::AppState;
use crate::fleet::ConfirmationQuestion;
use crate::http::{ApiError, ApiResponse};
use crate::peer::PeerSync;

/// The longest that a peer is kept waiting.
const LONGEST: Duration = Duration::from_mins(1);
/// Bytes of a peer's message, at most.
pub(super) const BYTES: usize = 16 * 1024 * 1024;

/// Takes in a peer's provisional kills, and answers with the own.
pub(super) async fn sync(request: HttpRequest, theirs: web::Bytes, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    check(&request, &app)?;
    let theirs: PeerSync = read(&theirs)?;
    ApiResponse::ok(&app.kills().answer_peer(theirs))
}

/// Tells a peer who has confirmed something on this node: at once where all have, else when its patience is over.
pub(super) async fn confirmations(request: HttpRequest, question: web::Bytes, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    check(&request, &app)?;
    let question: ConfirmationQuestion = read(&question)?;
    let patience = Duration::from_millis(question.patience_ms).min(LONGEST);
    let report = app.fleet().settled(&question.environment, &question.target, patience).await;
    let report = report.ok_or_else(|| ApiError::new(Code::NotFound, "This node has not served that since it started."))?;
    ApiResponse::ok(&report)
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::new(Code::ParseError, format!("This is not what a peer says: {error}.")))
}

fn check(request: &HttpRequest, app: &AppState) -> Result<(), ApiError> {
    let presented = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let secret = presented.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if app.peers().is_peer(secret) {
        return Ok(());
    }
    Err(ApiError::new(
        Code::Unauthenticated,
        "Only peers speak here; both nodes need the same RIPCORD_PEER_SECRET.",
    ))
}
