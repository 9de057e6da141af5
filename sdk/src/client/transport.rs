//! The ways to the server. They move bytes and know nothing of what a frame means.

pub(crate) mod backoff;
pub(crate) mod http;
mod poll;
mod sse;
mod tls;
mod websocket;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ripcord_proto::frame::{Ack, ClientFrame, Hello};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::options::Transport;
use super::protocol::Lost;
use http::Server;
pub(crate) use poll::Polled;

/// What came.
#[derive(Debug)]
pub(crate) enum Received {
    /// A frame.
    Frame(Utf8Bytes),
    /// Something that carries no frame and shows life.
    Life,
    /// The answer to a poll.
    Polled(Polled),
}

/// An open way to the server.
pub(crate) enum Stream {
    WebSocket(websocket::WebSocket),
    Events(Events),
    Poll(poll::Poll),
}

/// Server-sent events, and the acknowledgements that go beside them: one at a time, the newest next, since they are cumulative.
pub(crate) struct Events {
    stream: sse::Events,
    server: Server,
    instance_id: String,
    under_way: Option<BoxFuture<'static, ()>>,
    next: Option<Ack>,
}

/// What a frame that was to be sent has become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It went, or needs not go this way.
    Done,
    /// This way cannot ask for a snapshot: it must be fetched.
    Fetch,
}

impl Stream {
    /// Opens `transport`, saying `hello`.
    pub(crate) async fn open(transport: Transport, server: Server, hello: Hello) -> Result<Self, Lost> {
        match transport {
            Transport::WebSocket => {
                let mut socket = websocket::WebSocket::open(&server).await?;
                socket.send(encode(&ClientFrame::Hello(hello))?).await?;
                Ok(Self::WebSocket(socket))
            }
            Transport::Sse => Ok(Self::Events(Events {
                stream: sse::Events::open(&server, &hello).await?,
                server,
                instance_id: hello.instance_id,
                under_way: None,
                next: None,
            })),
            Transport::Poll { every } => Ok(Self::Poll(poll::Poll::open(server, every))),
        }
    }

    /// What comes next. May be dropped while it waits.
    pub(crate) async fn receive(&mut self) -> Result<Received, Lost> {
        match self {
            Self::WebSocket(socket) => Ok(socket.receive().await?.map_or(Received::Life, Received::Frame)),
            Self::Events(events) => events.receive().await,
            Self::Poll(poll) => poll.receive().await.map(Received::Polled),
        }
    }

    /// Sends a frame as far as this way can.
    pub(crate) async fn send(&mut self, frame: ClientFrame) -> Result<Sent, Lost> {
        match self {
            Self::WebSocket(socket) => {
                socket.send(encode(&frame)?).await?;
                Ok(Sent::Done)
            }
            Self::Events(events) => Ok(events.send(frame)),
            Self::Poll(poll) => {
                if matches!(frame, ClientFrame::Resync(_)) {
                    poll.resync();
                }
                Ok(Sent::Done)
            }
        }
    }

    /// Lets it go.
    pub(crate) async fn close(self) {
        if let Self::WebSocket(socket) = self {
            socket.close().await;
        }
    }
}

impl Events {
    async fn receive(&mut self) -> Result<Received, Lost> {
        loop {
            let Some(under_way) = &mut self.under_way else {
                return Ok(self.stream.receive().await?.map_or(Received::Life, Received::Frame));
            };
            tokio::select! {
                received = self.stream.receive() => return Ok(received?.map_or(Received::Life, Received::Frame)),
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
            // The request itself was the hello, and its end is the goodbye.
            ClientFrame::Hello(_) | ClientFrame::Heartbeat(_) | ClientFrame::Goodbye(_) => Sent::Done,
        }
    }

    fn acknowledge_next(&mut self) {
        let Some(ack) = self.next.take() else { return };
        let (server, instance_id) = (self.server.clone(), self.instance_id.clone());
        let acknowledging = async move {
            if let Err(lost) = server.acknowledge(&instance_id, &ack).await {
                // The stream itself tells whether the server is there; the next acknowledgement covers this one.
                tracing::debug!(?lost, "an acknowledgement was not taken");
            }
        };
        self.under_way = Some(acknowledging.boxed());
    }
}

fn encode(frame: &ClientFrame) -> Result<String, Lost> {
    serde_json::to_string(frame).map_err(|error| Lost::Broken(format!("a frame could not be written: {error}")))
}
