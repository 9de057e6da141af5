//! An open stream on its worker's thread: the session and the outlet to its reader.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use ripcord_proto::Position;
use ripcord_proto::frame::{Ack, FrameKind, Hello};
use tokio::io::AsyncWrite;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::client_socket::SocketControl;
use super::feed::Feed;
use super::session::Session;
use super::settings::Timeouts;
use super::shared::Granted;
use super::socket::Socket;
use crate::fleet::{Fleet, Membership, NewMember, Transport};
use crate::snapshot::frames::Frame;

/// How long a client may be ahead of this node before it gets a snapshot.
const AHEAD: Duration = Duration::from_secs(3);

/// One open stream.
pub(super) struct Connection {
    /// The feed of its environment.
    pub(super) feed: Arc<Feed>,
    /// The id of the key that opened it.
    pub(super) key_id: Arc<str>,
    /// Whether it counts for confirmations.
    counted: bool,
    pub(super) session: RefCell<Session>,
    /// Its index in the hub's list.
    pub(super) place: Cell<usize>,
    /// The round of the heartbeat interval in which its heartbeat is due.
    pub(super) phase: u32,
    /// When the client last sent something.
    pub(super) heard: Cell<Instant>,
    opened: Instant,
    ending: Cell<Option<Instant>>,
    membership: RefCell<Option<Membership>>,
    control: Rc<SocketControl>,
    outlet: Outlet,
    _open: TaskTrackerToken,
}

/// How frames leave.
pub(super) enum Outlet {
    /// The socket itself.
    WebSocket(RefCell<Socket>),
    /// A response body, which asks for its next chunk when the one before is written.
    Sse(EventBody),
}

/// The hub's side of an event stream's body.
pub(super) struct EventBody {
    framing: Framing,
    /// Set while the framework waits for the body's next chunk.
    waker: RefCell<Option<Waker>>,
}

/// How the body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// HTTP/1.1 chunks.
    Chunked,
    /// Left to the framework.
    Other,
}

impl EventBody {
    pub(super) fn new(framing: Framing) -> Self {
        Self {
            framing,
            waker: RefCell::new(None),
        }
    }

    /// Remembers the waker of the framework, which found nothing to write.
    pub(super) fn waits(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }

    fn may_be_passed(&self) -> bool {
        self.framing == Framing::Chunked && self.waker.borrow().is_some()
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disconnect {
    /// After a goodbye from either side.
    Left,
    /// The connection broke.
    Lost,
}

/// The parts of a new connection.
pub(super) struct NewConnection {
    pub(super) granted: Granted,
    pub(super) control: Rc<SocketControl>,
    pub(super) outlet: Outlet,
    pub(super) phase: u32,
    pub(super) open: TaskTrackerToken,
}

impl Connection {
    pub(super) fn new(opening: NewConnection, now: Instant) -> Self {
        let NewConnection {
            granted: Granted { feed, key_id, counted },
            control,
            outlet,
            phase,
            open,
        } = opening;
        control.become_stream();
        let connection = Self {
            feed,
            key_id,
            counted,
            session: RefCell::new(Session::greeting()),
            place: Cell::new(usize::MAX),
            phase,
            heard: Cell::new(now),
            opened: now,
            ending: Cell::new(None),
            membership: RefCell::new(None),
            control,
            outlet,
            _open: open,
        };
        connection.feed.metrics.transport_metrics(connection.transport()).connections.increment(1.0);
        connection
    }

    pub(super) fn transport(&self) -> Transport {
        match self.outlet {
            Outlet::WebSocket(_) => Transport::WebSocket,
            Outlet::Sse(_) => Transport::Sse,
        }
    }

    pub(super) fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// Counts the client as a member of the fleet, if it is an application.
    pub(super) fn join(&self, fleet: &Fleet, hello: Hello) {
        if !self.counted {
            return;
        }
        // A position that is not ours marks a reconnect, but confirms nothing.
        let nowhere = Position::new(0, 0);
        let joining = NewMember {
            position: hello.position().map(|_| self.session.borrow().position().unwrap_or(nowhere)),
            acknowledges: hello.acknowledges,
            name: hello.instance,
            id: hello.instance_id,
            key: self.key_id.to_string(),
            sdk: hello.sdk,
            transport: self.transport(),
        };
        *self.membership.borrow_mut() = Some(fleet.join(&self.feed.environment, joining));
    }

    /// Records an acknowledgement.
    pub(super) fn confirmed(&self, ack: &Ack) {
        let now = Instant::now();
        if let Some(membership) = self.membership.borrow().as_ref() {
            let at = Position {
                epoch: ack.epoch,
                revision: ack.revision,
            };
            membership.acknowledged(at, &ack.kills, now);
            let head = self.feed.head();
            if at == head.position() {
                self.feed.metrics.propagation.record(now.saturating_duration_since(head.at).as_secs_f64());
            }
        }
    }

    /// Gives the client a snapshot if it has been ahead of this node for long enough: the node has compared its logs with the store's
    /// and the peers' since then, and no node knows the client's position.
    pub(super) fn supersede_if_ahead(&self, now: Instant) -> bool {
        let mut session = self.session.borrow_mut();
        let is_due = now.saturating_duration_since(self.opened) > AHEAD && session.is_ahead(&self.feed.head());
        if is_due {
            tracing::warn!(env = %self.feed.environment, position = ?session.position(), "a client has a position that no node knows; it gets a snapshot");
            session.supersede();
        }
        is_due
    }

    /// The next frame to write; updates the metrics.
    pub(super) fn next(&self) -> Option<Frame> {
        let mut session = self.session.borrow_mut();
        let frame = session.next(&self.feed.head())?;
        let transport_metrics = self.feed.metrics.transport_metrics(self.transport());
        let collapses = session.take_collapses();
        if collapses > 0 {
            transport_metrics.collapses.increment(u64::from(collapses));
        }
        transport_metrics.frames.increment(1);
        transport_metrics.bytes.increment(frame.websocket().len() as u64);
        Some(frame)
    }

    /// A frame that leads to `position` was written.
    pub(super) fn handed(&self, position: Position) {
        if let Some(membership) = self.membership.borrow().as_ref() {
            membership.sent(position);
        }
    }

    /// Writes what is new as far as the reader accepts it now; the rest follows later. Never waits.
    pub(super) fn push(&self) {
        match &self.outlet {
            Outlet::WebSocket(socket) => {
                let pumped = self.pump(&mut socket.borrow_mut(), &mut Context::from_waker(Waker::noop()));
                if !matches!(pumped, Poll::Ready(Ok(()))) || self.session.borrow().has_ended() {
                    self.control.wake();
                }
            }
            Outlet::Sse(body) => self.push_events(body),
        }
    }

    /// If the framework is idle, the chunk goes straight to the socket, in the framework's own framing: waking one task per reader costs
    /// half as much again. The framework writes the rest that the reader did not accept yet, and the end.
    fn push_events(&self, body: &EventBody) {
        if body.may_be_passed() {
            while self.control.is_idle()
                && let Some(frame) = self.next()
            {
                self.control.write_ahead(frame.sse_chunk());
                if let Some(position) = frame.leads_to() {
                    self.handed(position);
                }
            }
            if self.control.is_idle() && !self.control.is_cut() && !self.session.borrow().has_ended() {
                return;
            }
        }
        body.wake();
    }

    /// Writes to a WebSocket until everything is written or the reader accepts no more.
    pub(super) fn pump(&self, socket: &mut Socket, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let Some((bytes, leads_to)) = &mut socket.writing else {
                if let Some(next) = self.next_for(socket) {
                    socket.writing = Some(next);
                    continue;
                }
                return Pin::new(&mut socket.transport).poll_flush(cx);
            };
            let written = std::task::ready!(Pin::new(&mut socket.transport).poll_write(cx, bytes))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            bytes.advance(written);
            if bytes.is_empty() {
                if let Some(position) = leads_to {
                    self.handed(*position);
                }
                socket.writing = None;
            }
        }
    }

    fn next_for(&self, socket: &mut Socket) -> Option<(Bytes, Option<Position>)> {
        if let Some(control) = socket.take_control() {
            return Some((control, None));
        }
        let frame = self.next()?;
        if frame.kind() == FrameKind::Goodbye {
            socket.close_after_goodbye();
        }
        Some((frame.websocket().clone(), frame.leads_to()))
    }

    /// Ends the stream with this goodbye.
    pub(super) fn end(&self, goodbye: &Frame) {
        if self.session.borrow_mut().end(goodbye.clone()) {
            self.ending.set(Some(Instant::now()));
            if let Some(membership) = self.membership.borrow_mut().take() {
                membership.sent_away();
            }
            self.push();
        }
    }

    /// Leaves the fleet when the connection has ended.
    pub(super) fn ended(&self, end: Disconnect) {
        if let Some(membership) = self.membership.borrow_mut().take() {
            match end {
                Disconnect::Left => membership.left(),
                Disconnect::Lost => drop(membership),
            }
        }
    }

    /// Cuts the connection if it is past a timeout.
    pub(super) fn check(&self, timeouts: &Timeouts, now: Instant) {
        let since = |then: Instant| now.saturating_duration_since(then);
        let session = self.session.borrow();
        let silent = matches!(self.outlet, Outlet::WebSocket(_)) && since(self.heard.get()) > timeouts.silence;
        let unheard = session.is_greeting() && since(self.opened) > timeouts.hello;
        let stuck = self.control.blocked_for(now) > timeouts.stuck;
        let lingering = self.ending.get().is_some_and(|ending| since(ending) > timeouts.goodbye);
        if silent || unheard || stuck || lingering {
            self.feed.metrics.transport_metrics(self.transport()).cuts.increment(1);
            self.control.cut();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.feed.metrics.transport_metrics(self.transport()).connections.decrement(1.0);
    }
}
