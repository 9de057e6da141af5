//! The stream as a WebSocket: JSON text frames both ways.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use ripcord_proto::limits::SNAPSHOT_BYTES;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::http::{PATIENCE, Server, describe, refusal, retry_after};
use crate::client::protocol::Lost;

/// A snapshot frame holds a whole environment and a little around it.
const MESSAGE_BYTES: usize = SNAPSHOT_BYTES + 4 * 1024 * 1024;
/// How long the socket may refuse a frame; ours are small, so it only does when the other end is stuck.
const STUCK: Duration = Duration::from_secs(5);

/// Plain or TLS.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// An open WebSocket.
pub(crate) struct WebSocket(WebSocketStream<Box<dyn Wire>>);

impl WebSocket {
    /// Connects and shakes hands.
    pub(super) async fn open(server: &Server) -> Result<Self, Lost> {
        match tokio::time::timeout(PATIENCE, Self::shake_hands(server)).await {
            Ok(opened) => opened,
            Err(_) => Err(Lost::Broken("the stream was not opened in time".to_owned())),
        }
    }

    async fn shake_hands(server: &Server) -> Result<Self, Lost> {
        let wire = connect(server).await?;
        let mut url = server.url("v1/stream");
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme).map_err(|()| Lost::Broken(format!("{url} cannot be a WebSocket")))?;
        let mut request = url.as_str().into_client_request().map_err(|error| broken(&error))?;
        request.headers_mut().insert(AUTHORIZATION, server.authorization().clone());
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES))
            .max_frame_size(Some(MESSAGE_BYTES));
        let opened = tokio_tungstenite::client_async_with_config(request, wire, Some(config)).await;
        opened.map(|(stream, _)| Self(stream)).map_err(|error| broken(&error))
    }

    /// The next frame's text; `None` for what carries none but shows life. May be dropped while it waits.
    pub(super) async fn receive(&mut self) -> Result<Option<Utf8Bytes>, Lost> {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Ok(Some(text)),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => Ok(None),
            Some(Ok(Message::Close(_))) | None => Err(Lost::Broken("the server closed the stream".to_owned())),
            Some(Err(error)) => Err(broken(&error)),
        }
    }

    /// Sends a frame.
    pub(super) async fn send(&mut self, text: String) -> Result<(), Lost> {
        match tokio::time::timeout(STUCK, self.0.send(Message::text(text))).await {
            Ok(sent) => sent.map_err(|error| broken(&error)),
            Err(_) => Err(Lost::Broken("the server no longer reads the stream".to_owned())),
        }
    }

    /// Shakes hands in parting.
    pub(super) async fn close(mut self) {
        // Whether the other end still answers changes nothing any more.
        let _ = tokio::time::timeout(STUCK, self.0.close(None)).await;
    }
}

async fn connect(server: &Server) -> Result<Box<dyn Wire>, Lost> {
    let base = server.base();
    let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = base.port_or_known_default().unwrap_or(80);
    let refused = |error: std::io::Error| Lost::Broken(format!("{host}:{port}: {error}"));
    let tcp = TcpStream::connect((host.as_str(), port)).await.map_err(refused)?;
    tcp.set_nodelay(true).map_err(refused)?;
    if base.scheme() != "https" {
        return Ok(Box::new(tcp));
    }
    let name = rustls::pki_types::ServerName::try_from(host.clone()).map_err(|error| Lost::Broken(format!("{host}: {error}")))?;
    let tls = TlsConnector::from(server.tls().shared()).connect(name, tcp).await.map_err(refused)?;
    Ok(Box::new(tls))
}

fn broken(error: &Error) -> Lost {
    let Error::Http(response) = error else {
        return Lost::Broken(error.to_string());
    };
    let headers: &HeaderMap = response.headers();
    let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    refusal(response.status().as_u16(), retry_after(headers), describe(&body))
}
