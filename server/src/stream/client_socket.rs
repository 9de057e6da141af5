//! A TCP or TLS stream that knows whether its peer still accepts data, and that can be cut.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Kernel send buffer of a stream, so that a stuck reader does not hold kernel memory (the default may grow to 4 MB).
const SEND_BUFFER: usize = 16 * 1024;

/// A client's connection, as passed to the HTTP service.
#[derive(Debug)]
pub struct ClientSocket {
    control: Rc<SocketControl>,
    /// What the connection holds as long as it is open.
    held: Option<Box<dyn std::fmt::Debug>>,
}

#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Controls a connection from outside of the task that drives it, on the same thread.
#[derive(Debug, Default)]
pub struct SocketControl {
    /// Gone with its [`ClientSocket`].
    wire: RefCell<Option<Wire>>,
    /// The rest of what was written past the driving task; it precedes anything that the task writes.
    ahead: RefCell<Bytes>,
    /// Since when the peer has accepted no bytes.
    blocked: Cell<Option<Instant>>,
    cut: Cell<bool>,
    one_request: Cell<bool>,
    narrow: Cell<Narrow>,
    waker: RefCell<Option<Waker>>,
}

/// Whether to make the send buffer small. That is done before the next write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Narrow {
    #[default]
    No,
    Wanted,
    Done,
}

impl SocketControl {
    /// This connection is a stream from now on: the kernel buffers little.
    pub(super) fn become_stream(&self) {
        if self.narrow.get() == Narrow::No {
            self.narrow.set(Narrow::Wanted);
        }
    }

    /// How long the peer has accepted no bytes.
    pub(super) fn blocked_for(&self, now: Instant) -> Duration {
        self.blocked.get().map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Whether it is no stream and nothing waits to be written: a client that holds it open for its next request.
    pub fn is_between_requests(&self) -> bool {
        self.narrow.get() == Narrow::No && self.is_idle()
    }

    /// Whether it closes after its first answer.
    pub fn is_for_one_request(&self) -> bool {
        self.one_request.get()
    }

    /// Cuts the connection, whatever it is doing.
    pub fn cut(&self) {
        self.cut.set(true);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Whether it was cut.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.get()
    }

    /// Wakes the task that drives the connection.
    pub(super) fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Whether no write is pending.
    pub(super) fn is_idle(&self) -> bool {
        self.blocked.get().is_none() && self.ahead.borrow().is_empty()
    }

    /// Writes past the driving task, as much as the peer accepts. Wake that task unless the connection [`is_idle`](Self::is_idle)
    /// afterwards: it writes the rest or notices that the connection broke.
    pub(super) fn write_ahead(&self, bytes: &Bytes) {
        let cx = &mut Context::from_waker(Waker::noop());
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match self.poll_write(cx, rest) {
                Poll::Ready(Ok(taken)) if taken > 0 => written += taken,
                Poll::Ready(_) => return self.cut.set(true),
                Poll::Pending => return drop(self.ahead.replace(bytes.slice(written..))),
            }
        }
        if let Poll::Ready(Err(_)) = self.poll_flush(cx) {
            self.cut.set(true);
        }
    }

    fn poll_wire<T>(&self, poll: impl FnOnce(&mut Wire) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match self.wire.borrow_mut().as_mut() {
            Some(wire) => poll(wire),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.before_write()?;
        let written = self.poll_wire(|wire| match wire {
            Wire::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Wire::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        });
        self.progress(&written);
        written
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_wire(|wire| match wire {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Wire::Tls(stream) => {
                let flushed = Pin::new(stream).poll_flush(cx);
                self.progress(&flushed);
                flushed
            }
        })
    }

    /// Writes the rest of what was written ahead.
    fn poll_ahead(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut ahead = self.ahead.borrow_mut();
        while !ahead.is_empty() {
            let written = std::task::ready!(self.poll_write(cx, &ahead))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            ahead.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    fn before_write(&self) -> io::Result<()> {
        if self.cut.get() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if self.narrow.get() == Narrow::Wanted
            && let Some(wire) = self.wire.borrow().as_ref()
        {
            self.narrow.set(Narrow::Done);
            // A kernel that refuses only costs memory.
            let _ = socket2::SockRef::from(wire.socket()).set_send_buffer_size(SEND_BUFFER);
        }
        Ok(())
    }

    fn progress<T>(&self, written: &Poll<T>) {
        match written {
            Poll::Pending if self.blocked.get().is_none() => self.blocked.set(Some(Instant::now())),
            Poll::Pending => {}
            Poll::Ready(_) => self.blocked.set(None),
        }
    }

    fn watch(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }
}

impl Wire {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

impl ClientSocket {
    /// A connection without TLS.
    pub fn plain(stream: TcpStream) -> Self {
        Self::over(Wire::Plain(stream))
    }

    /// A connection after its TLS handshake.
    pub fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self::over(Wire::Tls(Box::new(stream)))
    }

    fn over(wire: Wire) -> Self {
        let control = SocketControl {
            wire: RefCell::new(Some(wire)),
            ..SocketControl::default()
        };
        Self {
            control: Rc::new(control),
            held: None,
        }
    }

    /// Keeps `held` until the connection is closed: its place among the connections of the server.
    pub fn holding(mut self, held: impl std::fmt::Debug + 'static) -> Self {
        self.held = Some(Box::new(held));
        self
    }

    /// Closes after its first answer.
    pub fn for_one_request(self) -> Self {
        self.control.one_request.set(true);
        self
    }

    /// Its control handle.
    pub fn control(&self) -> &Rc<SocketControl> {
        &self.control
    }

    /// The address of the other end.
    pub fn peer(&self) -> Option<std::net::SocketAddr> {
        self.control.wire.borrow().as_ref()?.socket().peer_addr().ok()
    }
}

impl Drop for ClientSocket {
    fn drop(&mut self) {
        drop(self.control.wire.take());
    }
}

impl AsyncRead for ClientSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.control.cut.get() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let read = self.control.poll_wire(|wire| match wire {
            Wire::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Wire::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        });
        if read.is_pending() {
            self.control.watch(cx);
        }
        read
    }
}

impl AsyncWrite for ClientSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        std::task::ready!(self.control.poll_ahead(cx))?;
        self.control.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.control.poll_ahead(cx))?;
        self.control.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.control.poll_wire(|wire| match wire {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        })
    }
}
