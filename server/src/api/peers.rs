//! What nodes tell each other. Callers prove that they know the shared secret; keys are worth nothing here.

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use ripcord_proto::problem::Code;

use super::rooms::Rooms;
use crate::http::{Refusal, Reply};
use crate::peer::{self, PeerSync};

/// Bytes of a peer's message, at most.
pub(super) const BYTES: usize = 16 * 1024 * 1024;

/// Takes in a peer's provisional kills, and answers with the own.
pub(super) async fn sync(request: HttpRequest, theirs: web::Bytes, rooms: web::Data<Rooms>) -> Result<Reply, Refusal> {
    check(&request, &rooms)?;
    let theirs: PeerSync = serde_json::from_slice(&theirs).map_err(|error| Refusal::new(Code::ParseError, format!("This is not what a peer says: {error}.")))?;
    Reply::ok(&peer::answer(rooms.kills(), rooms.node(), theirs))
}

fn check(request: &HttpRequest, rooms: &Rooms) -> Result<(), Refusal> {
    let presented = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let secret = presented.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if rooms.peers().is_peer(secret) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::Unauthenticated,
        "Only peers speak here; both nodes need the same RIPCORD_PEER_SECRET.",
    ))
}
