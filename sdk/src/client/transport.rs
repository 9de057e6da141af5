//! The transports. They move bytes and do not interpret frames.

pub(crate) mod http;
mod poll;
mod sse;
mod tls;
mod tunnel;
mod websocket;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ripcord_proto::frame::{Ack, ClientFrame, Hello};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::options::Transport;
use super::protocol::StreamError;
use http::Server;
pub(crate) use poll::Polled;

/// What a transport received.
#[derive(Debug)]
pub(crate) enum Received {
    /// A frame.
    Frame(Utf8Bytes),
    /// A message without a frame, which shows that the server is alive.
    KeepAlive,
    /// The answer to a poll.
    Polled(Polled),
}

/// An open stream.
pub(crate) enum Stream {
    WebSocket(websocket::WebSocket),
    Sse(SseStream),
    Poll(poll::Poll),
}

/// Server-sent events, with the acknowledgements as separate requests: one at a time, then the newest, since they are cumulative.
pub(crate) struct SseStream {
    events: sse::Events,
    server: Server,
    instance_id: String,
    under_way: Option<BoxFuture<'static, ()>>,
    next: Option<Ack>,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It was sent, or this transport does not need it.
    Done,
    /// This transport cannot request a snapshot: fetch it.
    Fetch,
}

impl Stream {
    /// Opens a stream with `hello`.
    pub(crate) async fn open(transport: Transport, server: Server, hello: Hello) -> Result<Self, StreamError> {
        match transport {
            Transport::WebSocket => {
                let mut socket = websocket::WebSocket::open(&server).await?;
                socket.send(encode(&ClientFrame::Hello(hello))?).await?;
                Ok(Self::WebSocket(socket))
            }
            Transport::Sse => Ok(Self::Sse(SseStream {
                events: sse::Events::open(&server, &hello).await?,
                server,
                instance_id: hello.instance_id,
                under_way: None,
                next: None,
            })),
            Transport::Poll { every } => Ok(Self::Poll(poll::Poll::open(server, every))),
        }
    }

    /// The next message. The future may be dropped while it waits.
    pub(crate) async fn receive(&mut self) -> Result<Received, StreamError> {
        match self {
            Self::WebSocket(socket) => Ok(socket.receive().await?.map_or(Received::KeepAlive, Received::Frame)),
            Self::Sse(stream) => stream.receive().await,
            Self::Poll(poll) => poll.receive().await.map(Received::Polled),
        }
    }

    /// Sends a frame, if this transport can.
    pub(crate) async fn send(&mut self, frame: ClientFrame) -> Result<Sent, StreamError> {
        match self {
            Self::WebSocket(socket) => {
                socket.send(encode(&frame)?).await?;
                Ok(Sent::Done)
            }
            Self::Sse(stream) => Ok(stream.send(frame)),
            Self::Poll(poll) => {
                if matches!(frame, ClientFrame::Resync(_)) {
                    poll.resync();
                }
                Ok(Sent::Done)
            }
        }
    }

    /// Closes the stream.
    pub(crate) async fn close(self) {
        if let Self::WebSocket(socket) = self {
            socket.close().await;
        }
    }
}

impl SseStream {
    async fn receive(&mut self) -> Result<Received, StreamError> {
        loop {
            let Some(under_way) = &mut self.under_way else {
                return Ok(self.events.receive().await?.map_or(Received::KeepAlive, Received::Frame));
            };
            tokio::select! {
                received = self.events.receive() => return Ok(received?.map_or(Received::KeepAlive, Received::Frame)),
                () = under_way => {
                    self.under_way = None;
                    self.acknowledge_next();
                }
            }
        }
    }

    fn send(&mut self, frame: ClientFrame) -> Sent {
        match frame {
            ClientFrame::Ack(ack) => {
                self.next = Some(ack);
                if self.under_way.is_none() {
                    self.acknowledge_next();
                }
                Sent::Done
            }
            ClientFrame::Resync(_) => Sent::Fetch,
            // The request is the hello, and its end is the goodbye.
            ClientFrame::Hello(_) | ClientFrame::Heartbeat(_) | ClientFrame::Goodbye(_) => Sent::Done,
        }
    }

    fn acknowledge_next(&mut self) {
        let Some(ack) = self.next.take() else { return };
        let (server, instance_id) = (self.server.clone(), self.instance_id.clone());
        let acknowledging = async move {
            if let Err(error) = server.acknowledge(&instance_id, &ack).await {
                // The stream shows whether the server is alive, and the next acknowledgement covers this one.
                tracing::debug!(?error, "an acknowledgement failed");
            }
        };
        self.under_way = Some(acknowledging.boxed());
    }
}

fn encode(frame: &ClientFrame) -> Result<String, StreamError> {
    serde_json::to_string(frame).map_err(|error| StreamError::Broken(format!("cannot encode a frame: {error}")))
}
