//! Kept connections: which of them close after an answer, and all of them at shutdown.
//!
//! A connection on one of the places that are kept for kills closes after its answer. So does one whose request has a body without a stated
//! length: the framework reads on until that body ends, however long it takes, even if the request was refused.
//!
//! At shutdown, a client may hold a connection open between two requests; without a word it would delay the end of the
//! server, and be cut in the middle of its next request. So from the moment of the stop every answer says that the connection closes, and
//! connections that are idle are closed soon after.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::{ConnectionType, HttpMessage as _, Request, Response};
use bytes::Bytes;
use ripcord_proto::limits;
use ripcord_proto::problem::Code;
use tokio_util::sync::CancellationToken;

use crate::http::ApiError;
use crate::stream::SocketControl;
use crate::telemetry::names;

/// How long a connection that is to close stays open, so that most clients learn of it by an answer.
const TOLD: Duration = Duration::from_secs(2);
/// Interval between two looks for connections that have become idle.
const LOOK: Duration = Duration::from_millis(50);

/// The connections of one worker.
#[derive(Debug)]
pub(super) struct KeptConnections {
    stop: CancellationToken,
    open: RefCell<Vec<Weak<KeptConnection>>>,
}

/// One connection, and the requests on it that are being answered.
#[derive(Debug)]
pub(super) struct KeptConnection {
    control: Rc<SocketControl>,
    busy: Cell<usize>,
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct BusyConnection {
    connection: Option<Rc<KeptConnection>>,
    /// Its body has no stated length.
    is_endless: bool,
}

impl Drop for BusyConnection {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.busy.set(connection.busy.get().saturating_sub(1));
        }
    }
}

impl BusyConnection {
    /// The refusal of a request on a connection that has too many in progress: over HTTP/2 one connection can open as many as it likes.
    pub(super) fn refusal(&self) -> Option<Response<BoxBody>> {
        let busy = self.connection.as_ref()?.busy.get();
        if busy <= limits::CONNECTION_REQUESTS {
            return None;
        }
        metrics::counter!(names::RATE_LIMITED, "limit" => "connection").increment(1);
        let detail = format!(
            "This connection has {} requests in progress, the maximum. Wait for their answers.",
            limits::CONNECTION_REQUESTS
        );
        Some(ApiError::new(Code::RateLimited, detail).retry_after(1).render(None).into())
    }
}

impl KeptConnections {
    /// None yet. They are closed after `stop` fires.
    pub(super) fn until(stop: CancellationToken) -> Rc<Self> {
        let own = Rc::new(Self {
            stop,
            open: RefCell::default(),
        });
        let closing = Rc::clone(&own);
        crate::tasks::on_this_worker(async move { closing.close_idle().await });
        own
    }

    /// A connection opens.
    pub(super) fn enter(&self, control: &Rc<SocketControl>) -> Rc<KeptConnection> {
        let connection = Rc::new(KeptConnection {
            control: Rc::clone(control),
            busy: Cell::new(0),
        });
        let mut open = self.open.borrow_mut();
        if open.len() == open.capacity() {
            open.retain(|connection| connection.strong_count() > 0);
        }
        open.push(Rc::downgrade(&connection));
        connection
    }

    /// A request begins.
    pub(super) fn request(request: &Request) -> BusyConnection {
        let connection = request.conn_data::<Rc<KeptConnection>>().map(Rc::clone);
        if let Some(connection) = &connection {
            connection.busy.set(connection.busy.get() + 1);
        }
        BusyConnection {
            connection,
            is_endless: request.chunked().unwrap_or(true),
        }
    }

    /// Its answer; `busy` ends with it.
    pub(super) fn answer(&self, mut response: Response<BoxBody>, busy: BusyConnection) -> Response<BoxBody> {
        let is_last = busy.connection.as_ref().is_some_and(|connection| connection.control.is_for_one_request());
        if is_last || busy.is_endless || self.stop.is_cancelled() {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        if busy.is_endless
            && let Some(connection) = &busy.connection
        {
            let connection = Rc::downgrade(connection);
            crate::tasks::on_this_worker(async move { cut_once_written(connection).await });
        }
        if response.body().size() == BodySize::Stream {
            return response.map_body(|_, body| BoxBody::new(BusyBody { body, _busy: busy }));
        }
        response
    }

    async fn close_idle(&self) {
        self.stop.cancelled().await;
        tokio::time::sleep(TOLD).await;
        loop {
            self.open.borrow_mut().retain(|connection| connection.strong_count() > 0);
            for connection in self.open.borrow().iter().filter_map(Weak::upgrade) {
                if connection.busy.get() == 0 && connection.control.is_between_requests() {
                    connection.control.cut();
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Cuts a connection whose last answer was given, soon after its client has taken it.
async fn cut_once_written(connection: Weak<KeptConnection>) {
    loop {
        tokio::time::sleep(TOLD).await;
        let Some(connection) = connection.upgrade() else { return };
        if connection.busy.get() == 0 && connection.control.is_between_requests() {
            return connection.control.cut();
        }
    }
}

/// A body that is made while it is sent.
struct BusyBody {
    body: BoxBody,
    _busy: BusyConnection,
}

impl MessageBody for BusyBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_pin_mut().poll_next(cx)
    }
}
