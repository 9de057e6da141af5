//! Streams over WebSocket. The socket is taken over from the HTTP service after the handshake: what remains of a connection
//! is its socket, its session and one small task that reads; writing is the hub's.

mod codec;
mod opening;

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use ripcord_proto::Position;
use ripcord_proto::frame::{ClientFrame, Goodbye};
use tokio::io::{AsyncRead, AsyncWrite as _, ReadBuf};

use self::codec::{Decoder, Incoming};
pub(super) use self::opening::accept;
use super::client_socket::ClientSocket;
use super::connection::{Connection, Disconnect, Outlet};
use super::hello;
use super::hub::Hub;
use super::session::{Greeted, Reaction};
use crate::snapshot::frames::Frame;

/// A WebSocket's socket with what is on its way through it.
pub(super) struct Socket {
    pub(super) transport: ClientSocket,
    /// What is left of the frame that is being written, and where it leads.
    pub(super) writing: Option<(Bytes, Option<Position>)>,
    /// Control frames that go before the next frame.
    control: Vec<u8>,
    decoder: Decoder,
    close_code: u16,
}

/// The status code of an orderly end (RFC 6455, 7.4.1).
const NORMAL: u16 = 1000;
/// The status code of one who sent what it must not.
const POLICY: u16 = 1008;
/// Bytes of control frames that wait for a slow reader, at most: the pings of one who does not read go unanswered.
const CONTROL_BYTES: usize = 512;

impl Socket {
    fn new(transport: ClientSocket) -> Self {
        Self {
            transport,
            writing: None,
            control: Vec::new(),
            decoder: Decoder::default(),
            close_code: NORMAL,
        }
    }

    /// Asks for a sign of life.
    pub(super) fn ping(&mut self) {
        self.put_control(&codec::PING_FRAME);
    }

    /// The goodbye is on its way; the close frame follows it.
    pub(super) fn close_after_goodbye(&mut self) {
        self.control = codec::close_frame(self.close_code).to_vec();
    }

    pub(super) fn take_control(&mut self) -> Option<Bytes> {
        if self.control.is_empty() {
            None
        } else {
            Some(std::mem::take(&mut self.control).into())
        }
    }

    fn put_control(&mut self, frame: &[u8]) {
        if self.control.len() + frame.len() <= CONTROL_BYTES {
            self.control.extend_from_slice(frame);
        }
    }
}

/// What came with one read.
enum ReadResult {
    Messages(Vec<Incoming>),
    Violation(codec::Violation),
    Ended,
}

async fn drive(hub: Rc<Hub>, connection: Rc<Connection>) {
    let end = std::future::poll_fn(|cx| connection.poll(&hub, cx)).await;
    hub.close(&connection, end);
}

impl Connection {
    /// Reads what there is, then writes what there is.
    fn poll(self: &Rc<Self>, hub: &Rc<Hub>, cx: &mut Context<'_>) -> Poll<Disconnect> {
        let Outlet::WebSocket(socket) = self.outlet() else {
            return Poll::Ready(Disconnect::Lost);
        };
        loop {
            let heard = match read(hub, &mut socket.borrow_mut(), cx) {
                Poll::Pending => break,
                Poll::Ready(Err(_)) => return Poll::Ready(Disconnect::Lost),
                Poll::Ready(Ok(heard)) => heard,
            };
            self.heard.set(Instant::now());
            match heard {
                ReadResult::Ended => return Poll::Ready(Disconnect::Lost),
                ReadResult::Violation(violation) => self.refuse(&violation.to_string(), violation.close_code()),
                ReadResult::Messages(messages) => {
                    for message in messages {
                        if let Some(end) = self.hear(hub, message) {
                            return Poll::Ready(end);
                        }
                    }
                }
            }
        }
        let mut socket = socket.borrow_mut();
        match self.pump(&mut socket, cx) {
            // The client answers the close frame with its own and then closes. To close first, with something of the client's
            // still unread, would have the kernel tear away what the client has not read yet: the goodbye.
            Poll::Ready(Ok(())) if self.session.borrow().has_ended() => match Pin::new(&mut socket.transport).poll_shutdown(cx) {
                Poll::Ready(Err(_)) => Poll::Ready(Disconnect::Left),
                Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
            },
            Poll::Ready(Err(_)) => Poll::Ready(Disconnect::Lost),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    /// Takes in what came along with the opening request.
    fn take_in(self: &Rc<Self>, hub: &Rc<Hub>, bytes: &[u8]) {
        let Outlet::WebSocket(socket) = self.outlet() else {
            return;
        };
        let mut messages = Vec::new();
        let fed = socket.borrow_mut().decoder.feed(bytes, |incoming| messages.push(incoming));
        if let Err(violation) = fed {
            self.refuse(&violation.to_string(), violation.close_code());
        }
        for message in messages {
            // One that closes already is seen to when its socket is read.
            let _ = self.hear(hub, message);
        }
    }

    fn hear(self: &Rc<Self>, hub: &Rc<Hub>, incoming: Incoming) -> Option<Disconnect> {
        match incoming {
            Incoming::Pong => None,
            Incoming::Close => Some(Disconnect::Left),
            Incoming::Ping(payload) => {
                if let Outlet::WebSocket(socket) = self.outlet() {
                    socket.borrow_mut().put_control(&codec::pong_frame(&payload));
                }
                None
            }
            Incoming::Text(text) => match parse(&text) {
                Ok(frame) => self.react(hub, frame),
                Err(error) => {
                    self.refuse(&format!("not a frame: {error}"), POLICY);
                    None
                }
            },
        }
    }

    fn react(self: &Rc<Self>, hub: &Rc<Hub>, frame: ClientFrame) -> Option<Disconnect> {
        let reaction = self.session.borrow_mut().hear(frame, &self.feed.head());
        match reaction {
            Reaction::Greeted(hello, greeted) => {
                if let Err(why) = hello::check(&hello) {
                    self.refuse(why, POLICY);
                    return None;
                }
                self.greeted(hub, hello, greeted);
                None
            }
            Reaction::Confirmed(ack) => {
                self.confirmed(&ack);
                None
            }
            Reaction::Noted => None,
            Reaction::Left => Some(Disconnect::Left),
            Reaction::Refused(why) => {
                self.refuse(why, POLICY);
                None
            }
        }
    }

    /// The client has introduced itself: it is counted, and waits for its turn or hears that it has everything.
    pub(super) fn greeted(self: &Rc<Self>, hub: &Rc<Hub>, hello: ripcord_proto::frame::Hello, greeted: Greeted) {
        self.join(&hub.shared.fleet, hello);
        match greeted {
            Greeted::Behind(precedence) => hub.queue(self, precedence),
            Greeted::UpToDate => {
                if let Some(heartbeat) = hub.heartbeat(self) {
                    self.session.borrow_mut().beat(heartbeat);
                }
            }
        }
    }

    fn refuse(&self, why: &str, close_code: u16) {
        if let Outlet::WebSocket(socket) = self.outlet() {
            socket.borrow_mut().close_code = close_code;
        }
        self.feed.metrics.transport_metrics(self.transport()).cuts.increment(1);
        self.end(&Frame::goodbye(&Goodbye {
            why: why.to_owned(),
            retry_after_ms: None,
            retry: Some(false),
        }));
    }
}

/// What nearly every frame is, an acknowledgement as the SDK writes it, is read without the detour that telling all frames apart
/// takes.
fn parse(text: &str) -> serde_json::Result<ClientFrame> {
    if text.starts_with(r#"{"type":"ack","#) {
        serde_json::from_str(text).map(ClientFrame::Ack)
    } else {
        serde_json::from_str(text)
    }
}

/// Reads once into the thread's shared buffer.
fn read(hub: &Hub, socket: &mut Socket, cx: &mut Context<'_>) -> Poll<io::Result<ReadResult>> {
    let mut scratch = hub.scratch.borrow_mut();
    let mut buffer = ReadBuf::new(&mut scratch);
    std::task::ready!(Pin::new(&mut socket.transport).poll_read(cx, &mut buffer))?;
    if buffer.filled().is_empty() {
        return Poll::Ready(Ok(ReadResult::Ended));
    }
    let mut messages = Vec::new();
    let fed = socket.decoder.feed(buffer.filled(), |incoming| messages.push(incoming));
    Poll::Ready(Ok(match fed {
        Ok(()) => ReadResult::Messages(messages),
        Err(violation) => ReadResult::Violation(violation),
    }))
}
