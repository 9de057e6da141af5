//! `/v1/stream` over WebSocket.

use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message, client::IntoClientRequest};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{Frame, Next, Reader};
use crate::api::Api;

/// A duplex stream.
#[derive(Debug)]
pub struct WebSocket {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl WebSocket {
    /// Connects and says hello with nothing known yet.
    pub async fn connect(api: &Api, instance: &str) -> anyhow::Result<Self> {
        Self::resume(api, &hello(instance)).await
    }

    /// Connects and says this hello.
    pub async fn resume(api: &Api, hello: &Value) -> anyhow::Result<Self> {
        let mut stream = Self::open(api).await?;
        stream.send(hello).await?;
        Ok(stream)
    }

    /// Connects and says nothing.
    pub async fn open(api: &Api) -> anyhow::Result<Self> {
        Ok(Self::try_open(api).await??)
    }

    /// Connects; the inner error is the server's refusal, with its status.
    pub async fn try_open(api: &Api) -> anyhow::Result<Result<Self, Refused>> {
        let url = format!("{}/v1/stream", api.url().replacen("http", "ws", 1));
        let mut request = url.into_client_request()?;
        if !api.key().is_empty() {
            request.headers_mut().insert("authorization", format!("Bearer {}", api.key()).parse()?);
        }
        let connecting = tokio_tungstenite::connect_async(request);
        match tokio::time::timeout(Duration::from_secs(10), connecting)
            .await
            .context("no handshake within 10 s")?
        {
            Ok((socket, _)) => Ok(Ok(Self { socket })),
            Err(Error::Http(response)) => Ok(Err(Refused {
                status: response.status().as_u16(),
                body: response
                    .body()
                    .as_deref()
                    .map(|body| String::from_utf8_lossy(body).into_owned())
                    .unwrap_or_default(),
            })),
            Err(other) => Err(other.into()),
        }
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Value) -> anyhow::Result<()> {
        self.send_text(&frame.to_string()).await
    }

    /// Sends text that may be no frame.
    pub async fn send_text(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::text(text)).await?)
    }

    /// Acknowledges what a snapshot or delta brought.
    pub async fn ack(&mut self, frame: &Frame) -> anyhow::Result<()> {
        let data = &frame.data;
        self.send(&json!({"type": "ack", "epoch": data["epoch"], "revision": data["revision"], "hash": data["hash"]}))
            .await
    }

    /// Closes the connection without a goodbye.
    pub async fn close(mut self) -> anyhow::Result<()> {
        Ok(self.socket.close(None).await?)
    }
}

impl Reader for WebSocket {
    async fn next(&mut self) -> anyhow::Result<Next> {
        loop {
            match self.socket.next().await {
                None | Some(Ok(Message::Close(_)) | Err(Error::ConnectionClosed | Error::AlreadyClosed)) => return Ok(Next::End),
                Some(Ok(Message::Text(text))) => return Ok(Next::Frame(Frame::parse(&text, None)?)),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => bail!("frames are text, got {other:?}"),
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }
}

/// A handshake that the server refused.
#[derive(Debug)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// Its body.
    pub body: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the handshake was refused with {}: {}", self.status, self.body)
    }
}

impl std::error::Error for Refused {}

/// The hello of an instance that has nothing yet.
pub fn hello(instance: &str) -> Value {
    json!({"type": "hello", "sdk": "raw/1.0", "instance": instance, "instance_id": format!("{instance}-{:016x}", rand::random::<u64>())})
}

/// The hello of an instance that has what `frame` brought.
pub fn hello_having(instance: &str, frame: &Frame) -> Value {
    let mut hello = hello(instance);
    for member in ["epoch", "revision", "hash"] {
        hello[member] = frame.data[member].clone();
    }
    hello
}
