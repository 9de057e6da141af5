//! Streams over WebSocket. After the handshake, the socket is taken over from the HTTP service: a connection is a socket, a session and
//! one small task that reads; the hub writes.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use ripcord_proto::frame::{ClientFrame, Goodbye};
use ripcord_proto::limits;
use tokio::io::{AsyncRead, AsyncWrite as _, ReadBuf};

use super::codec::{self, Incoming};
use super::connection::{Connection, Disconnect, Outlet};
use super::hello;
use super::hub::Hub;
use super::session::{Greeted, Reaction};
use super::socket::Socket;
use crate::snapshot::frames::Frame;

/// Close code for a client that broke the rules.
const POLICY: u16 = 1008;

/// The result of one read.
enum ReadResult {
    Messages(Vec<Incoming>),
    Violation(codec::Violation),
    Ended,
}

/// Drives a connection to its end.
pub(super) async fn drive(hub: Rc<Hub>, connection: Rc<Connection>) {
    let end = std::future::poll_fn(|cx| connection.poll(&hub, cx)).await;
    hub.close(&connection, end);
}

impl Connection {
    /// Reads what has arrived, then writes what is new.
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
            // The client answers the close frame and then closes. If we closed first with unread input, the kernel would reset the
            // connection and the client would lose the goodbye.
            Poll::Ready(Ok(())) if self.session.borrow().has_ended() => match Pin::new(&mut socket.transport).poll_shutdown(cx) {
                Poll::Ready(Err(_)) => Poll::Ready(Disconnect::Left),
                Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
            },
            Poll::Ready(Err(_)) => Poll::Ready(Disconnect::Lost),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    /// Handles bytes that came with the opening request.
    pub(super) fn take_in(self: &Rc<Self>, hub: &Rc<Hub>, bytes: &[u8]) {
        let Outlet::WebSocket(socket) = self.outlet() else {
            return;
        };
        let mut messages = Vec::new();
        let fed = socket.borrow_mut().decoder.feed(bytes, |incoming| messages.push(incoming));
        if let Err(violation) = fed {
            self.refuse(&violation.to_string(), violation.close_code());
        }
        for message in messages {
            // A close is noticed when the socket is read.
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
                    self.refuse(&why, POLICY);
                    return None;
                }
                self.greeted(hub, hello, greeted);
                None
            }
            Reaction::Confirmed(ack) if ack.kills.len() > limits::ACK_KILLS => {
                self.refuse("an acknowledgement names too many kills", POLICY);
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

    /// After the hello: counts the client, and either queues its first payload or confirms that it is up to date.
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

/// Fast path for the most frequent frame, an acknowledgement as the SDK writes it.
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
