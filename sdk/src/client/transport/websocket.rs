//! The stream as a WebSocket: JSON text frames in both directions.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use ripcord_proto::limits::SNAPSHOT_BYTES;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::http::{REQUEST_TIMEOUT, Server, describe, retry_after, status_error};
use super::tunnel;
use crate::client::protocol::StreamError;

/// The largest message: a snapshot frame, and a margin.
const MESSAGE_BYTES: usize = SNAPSHOT_BYTES + 4 * 1024 * 1024;
/// How long sending a frame may take. Ours are small, so it only takes long if the other end is stuck.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Plain or TLS.
trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// An open WebSocket.
pub(crate) struct WebSocket(WebSocketStream<Box<dyn ByteStream>>);

impl WebSocket {
    /// Connects and performs the handshake.
    pub(super) async fn open(server: &Server) -> Result<Self, StreamError> {
        match tokio::time::timeout(REQUEST_TIMEOUT, Self::handshake(server)).await {
            Ok(opened) => opened,
            Err(_) => Err(StreamError::Broken("the stream was not opened in time".to_owned())),
        }
    }

    async fn handshake(server: &Server) -> Result<Self, StreamError> {
        let wire = connect(server).await?;
        let mut url = server.url("v1/stream");
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme)
            .map_err(|()| StreamError::Broken(format!("{url} cannot be a WebSocket")))?;
        let mut request = url.as_str().into_client_request().map_err(|error| broken(&error))?;
        request.headers_mut().insert(AUTHORIZATION, server.authorization().clone());
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES))
            .max_frame_size(Some(MESSAGE_BYTES));
        let opened = tokio_tungstenite::client_async_with_config(request, wire, Some(config)).await;
        opened.map(|(stream, _)| Self(stream)).map_err(|error| broken(&error))
    }

    /// The text of the next frame; `None` for a message without one, which still shows that the server is alive. The future may be
    /// dropped while it waits.
    pub(super) async fn receive(&mut self) -> Result<Option<Utf8Bytes>, StreamError> {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Ok(Some(text)),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => Ok(None),
            Some(Ok(Message::Close(_))) | None => Err(StreamError::Broken("the server closed the stream".to_owned())),
            Some(Err(error)) => Err(broken(&error)),
        }
    }

    /// Sends a frame.
    pub(super) async fn send(&mut self, text: String) -> Result<(), StreamError> {
        match tokio::time::timeout(SEND_TIMEOUT, self.0.send(Message::text(text))).await {
            Ok(sent) => sent.map_err(|error| broken(&error)),
            Err(_) => Err(StreamError::Broken("the server no longer reads the stream".to_owned())),
        }
    }

    /// Performs the closing handshake.
    pub(super) async fn close(mut self) {
        // It no longer matters whether the other end answers.
        let _ = tokio::time::timeout(SEND_TIMEOUT, self.0.close(None)).await;
    }
}

async fn connect(server: &Server) -> Result<Box<dyn ByteStream>, StreamError> {
    let base = server.base();
    let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = base.port_or_known_default().unwrap_or(80);
    let refused = |error: std::io::Error| StreamError::Broken(format!("{host}:{port}: {error}"));
    let tcp = tunnel::connect(server.proxy(), &host, port).await?;
    if base.scheme() != "https" {
        return Ok(Box::new(tcp));
    }
    let name = rustls::pki_types::ServerName::try_from(host.clone()).map_err(|error| StreamError::Broken(format!("{host}: {error}")))?;
    let tls = TlsConnector::from(server.tls().shared()).connect(name, tcp).await.map_err(refused)?;
    Ok(Box::new(tls))
}

fn broken(error: &Error) -> StreamError {
    let Error::Http(response) = error else {
        return StreamError::Broken(error.to_string());
    };
    let headers: &HeaderMap = response.headers();
    let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    status_error(response.status().as_u16(), retry_after(headers), describe(&body))
}
