//! The bytes' way: a TCP or TLS stream that knows whether its peer still takes what is written, and that can be cut.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// What a kernel may hold for a stuck reader, unseen in the server's own memory (4 MB were it left to itself).
const SEND_BUFFER: usize = 16 * 1024;

/// A connection as the HTTP service is given it.
#[derive(Debug)]
pub struct Transport {
    wire: Wire,
    control: Rc<Control>,
}

#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What is known of a connection outside of the task that drives it. It lives on that task's thread.
#[derive(Debug, Default)]
pub struct Control {
    /// Since when the peer has taken no byte of what is to be written.
    blocked: Cell<Option<Instant>>,
    cut: Cell<bool>,
    narrow: Cell<Narrow>,
    waker: RefCell<Option<Waker>>,
}

/// Whether the send buffer is to be made small: wanted before the next write, since only the owner has the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Narrow {
    #[default]
    No,
    Wanted,
    Done,
}

impl Control {
    /// From the next write on the kernel buffers little: this connection has become a stream.
    pub(super) fn become_stream(&self) {
        if self.narrow.get() == Narrow::No {
            self.narrow.set(Narrow::Wanted);
        }
    }

    /// How long the peer has taken no byte of what is to be written.
    pub(super) fn blocked_for(&self, now: Instant) -> Duration {
        self.blocked.get().map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Ends the connection, whatever it is doing.
    pub(super) fn cut(&self) {
        self.cut.set(true);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Wakes the task that drives the connection.
    pub(super) fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
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

impl Transport {
    /// A connection without TLS.
    pub fn plain(stream: TcpStream) -> Self {
        Self {
            wire: Wire::Plain(stream),
            control: Rc::default(),
        }
    }

    /// A connection after its TLS handshake.
    pub fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self {
            wire: Wire::Tls(Box::new(stream)),
            control: Rc::default(),
        }
    }

    /// What is known of it.
    pub fn control(&self) -> &Rc<Control> {
        &self.control
    }

    /// The address of the other end.
    pub fn peer(&self) -> Option<std::net::SocketAddr> {
        self.socket().peer_addr().ok()
    }

    fn socket(&self) -> &TcpStream {
        match &self.wire {
            Wire::Plain(stream) => stream,
            Wire::Tls(stream) => stream.get_ref().0,
        }
    }

    fn before_write(&self) -> io::Result<()> {
        if self.control.cut.get() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if self.control.narrow.get() == Narrow::Wanted {
            self.control.narrow.set(Narrow::Done);
            // A kernel that refuses only costs memory.
            let _ = socket2::SockRef::from(self.socket()).set_send_buffer_size(SEND_BUFFER);
        }
        Ok(())
    }
}

impl AsyncRead for Transport {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.control.cut.get() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let read = match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Wire::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        if read.is_pending() {
            self.control.watch(cx);
        }
        read
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.before_write()?;
        let written = match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Wire::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        };
        self.control.progress(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Wire::Tls(stream) => {
                let flushed = Pin::new(stream).poll_flush(cx);
                self.control.progress(&flushed);
                flushed
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
