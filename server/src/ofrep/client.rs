//! The clients: OFREP has no instance ids, so they are recognised by key, address, user agent and targeting key.

use actix_http::RequestHead;
use actix_web::http::header::{HeaderValue, USER_AGENT};
use ripcord_proto::digest::Digest;
use ripcord_sdk::Context;

use super::request::OfrepRequest;
use crate::fleet::{NewMember, Transport};

/// An id that is the same whenever the client returns, and reveals nothing about it.
pub(super) fn id(head: &RequestHead, request: &OfrepRequest, context: &Context<'_>) -> String {
    let address = head.peer_addr.map(|address| address.ip().to_string()).unwrap_or_default();
    let agent = head.headers.get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    let parts = [
        request.permit.caller().as_bytes(),
        address.as_bytes(),
        agent,
        context.targeting_key().unwrap_or_default().as_bytes(),
    ];
    let digest = Digest::of(parts.into_iter().flat_map(|part| [part, &[0]])).to_string();
    format!("ofrep-{}", digest.get(..16).unwrap_or(&digest))
}

/// The client as a member of the fleet.
pub(super) fn member(head: &RequestHead, key: &str, client: &str) -> NewMember {
    let agent = head.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("ofrep");
    NewMember {
        name: client.to_owned(),
        id: client.to_owned(),
        key: key.to_owned(),
        sdk: agent.chars().take(80).collect(),
        position: None,
        acknowledges: true,
        transport: Transport::Ofrep,
    }
}
