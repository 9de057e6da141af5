//! The opening handshake of a WebSocket: the socket is taken over, or the request refused with a problem document.

use std::rc::Rc;

use actix_http::Request;
use actix_http::ws::handshake;
use actix_web::body::MessageBody as _;
use actix_web::http::header::SEC_WEBSOCKET_ACCEPT;
use bytes::Bytes;
use ripcord_proto::problem::Code;
use tokio::io::AsyncWriteExt as _;

use super::client_socket::ClientSocket;
use super::connection::{NewConnection, Outlet};
use super::hello::StreamQuery;
use super::hub::Hub;
use super::shared::{Granted, StreamRequest, StreamState};
use super::socket::Socket;
use super::sse::STREAM_PATH;
use super::websocket::drive;
use crate::http::ApiError;

/// Answers the handshake and, if it is granted, drives the connection to its end.
pub(super) async fn accept(hub: Rc<Hub>, request: Request, mut transport: ClientSocket, early: Bytes) {
    let granted = handshake(request.head())
        .map_err(|error| ApiError::new(Code::BadRequest, format!("Not a WebSocket handshake: {error}.")))
        .and_then(|mut response| Ok((response.finish(), grant(&hub, &request)?)));
    let (response, granted) = match granted {
        Ok(granted) => granted,
        Err(refusal) => {
            StreamState::refused(&refusal);
            // The client may be gone already.
            let _ = transport.write_all(&http1(&refusal)).await;
            let _ = transport.shutdown().await;
            return;
        }
    };
    drop(request);
    let accept = response
        .headers()
        .get(SEC_WEBSOCKET_ACCEPT)
        .and_then(|key| key.to_str().ok())
        .unwrap_or_default();
    let head = format!("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n");
    drop(response);
    let mut socket = Socket::new(transport);
    socket.writing = Some((head.into(), None));
    let connection = hub.open(NewConnection {
        granted,
        control: Rc::clone(socket.transport.control()),
        outlet: Outlet::WebSocket(socket.into()),
        phase: 0,
        open: hub.shared.tracker.token(),
    });
    hub.recheck(&connection);
    if !early.is_empty() {
        connection.take_in(&hub, &early);
    }
    // The connection holds a tracker token, so the shutdown waits for it.
    crate::tasks::on_this_worker(drive(Rc::clone(&hub), connection));
}

fn grant(hub: &Hub, request: &Request) -> Result<Granted, ApiError> {
    if request.path() != STREAM_PATH {
        return Err(ApiError::new(
            Code::NotFound,
            format!("No WebSocket at {}; streams are at {}.", request.path(), STREAM_PATH),
        ));
    }
    let query = StreamQuery::parse(request.uri().query().unwrap_or_default());
    hub.shared.grant(StreamRequest {
        headers: &request.head().headers,
        address: request.peer_addr().map(|address| address.ip()),
        environment: query.environment.as_deref(),
    })
}

/// A refusal as the bytes of an HTTP/1.1 response, for a socket that no longer belongs to the framework.
fn http1(refusal: &ApiError) -> Vec<u8> {
    let response = refusal.render(None);
    let status = response.status();
    let mut bytes = format!("HTTP/1.1 {} {}\r\n", status.as_u16(), status.canonical_reason().unwrap_or_default()).into_bytes();
    for (name, value) in response.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    let body = response.into_body().try_into_bytes().unwrap_or_default();
    bytes.extend_from_slice(format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(&body);
    bytes
}
