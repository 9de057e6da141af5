//! Streams as `text/event-stream`. The body produces one frame whenever the framework can write one, so nothing is queued: a slow reader
//! gets the newest. While the framework waits for the body, the hub writes to the socket itself.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::Version;
use actix_web::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use ripcord_proto::problem::{Code, Problem};

use super::client_socket::SocketControl;
use super::connection::{Connection, Disconnect, EventBody, Framing, NewConnection, Outlet};
use super::hello::StreamQuery;
use super::hub::Hub;
use super::shared::{StreamRequest, StreamState};
use crate::http::ApiError;
use crate::http::documented::Problems;

/// The stream of an environment: JSON text frames over a WebSocket, or the same frames as server-sent events. With events, the members
/// of the hello are query parameters.
#[utoipa::path(get, path = "/v1/stream", tag = "streams", operation_id = "openStream",
    params(
        ("environment" = Option<String>, Query, description = "The environment, for keys valid in several"),
        ("sdk" = Option<String>, Query, description = "Name and version of the SDK"),
        ("instance" = Option<String>, Query, description = "The instance's name"),
        ("instance_id" = Option<String>, Query, description = "Random, new for each process; the reader acknowledges with it"),
        ("epoch" = Option<u64>, Query, description = "The epoch that the reader has"),
        ("revision" = Option<u64>, Query, description = "The revision that it has"),
        ("hash" = Option<String>, Query, description = "The content hash that it has"),
        ("acknowledges" = Option<bool>, Query, description = "Whether it will acknowledge"),
        ("Last-Event-ID" = Option<String>, Header, description = "epoch:revision of the last event received")
    ),
    responses(
        (status = 101, description = "The WebSocket is open: a `ServerFrame` in each message; the client sends `ClientFrame`s, the first of which is hello"),
        (status = 200, description = "Frames as events: the data of each is a `ServerFrame`", body = String, content_type = "text/event-stream"),
        Problems, (status = 503, description = "This node has reached its limit of streams", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn stream(request: HttpRequest, hub: web::Data<HubHandle>) -> Result<HttpResponse, ApiError> {
    open(&request, &hub.0).inspect_err(StreamState::refused)
}

/// The path of streams.
pub(super) const STREAM_PATH: &str = "/v1/stream";

/// The hub of the thread that a request is handled on.
#[derive(Clone)]
pub(super) struct HubHandle(pub(super) Rc<Hub>);

fn open(request: &HttpRequest, hub: &Rc<Hub>) -> Result<HttpResponse, ApiError> {
    let accepts = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("*/*");
    if !(accepts.contains("text/event-stream") || accepts.contains("*/*") || accepts.contains("text/*")) {
        return Err(ApiError::new(
            Code::BadRequest,
            "This is a stream. Use a WebSocket upgrade or the header Accept: text/event-stream.",
        ));
    }
    let query = StreamQuery::parse(request.query_string());
    let granted = hub.shared.grant(StreamRequest {
        headers: request.headers(),
        address: request.peer_addr().map(|address| address.ip()),
        environment: query.environment.as_deref(),
    })?;
    let hello = query.hello(request.headers())?;
    let framing = if request.version() == Version::HTTP_11 {
        Framing::Chunked
    } else {
        Framing::Other
    };
    let connection = hub.open(NewConnection {
        granted,
        control: request.conn_data::<Rc<SocketControl>>().map(Rc::clone).unwrap_or_default(),
        outlet: Outlet::Sse(EventBody::new(framing)),
        phase: 0,
        open: hub.shared.tracker.token(),
    });
    let greeted = connection.session.borrow_mut().greet(&hello, &connection.feed.head());
    connection.greeted(hub, hello, greeted);
    hub.recheck(&connection);
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_ENCODING, "identity"))
        .insert_header(("x-accel-buffering", "no"))
        .body(EventStreamBody {
            hub: Rc::clone(hub),
            connection,
        }))
}

/// The body of an event stream.
struct EventStreamBody {
    hub: Rc<Hub>,
    connection: Rc<Connection>,
}

impl MessageBody for EventStreamBody {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if let Some(frame) = self.connection.next() {
            if let Some(position) = frame.leads_to() {
                self.connection.handed(position);
            }
            return Poll::Ready(Some(Ok(frame.sse())));
        }
        if self.connection.session.borrow().has_ended() {
            return Poll::Ready(None);
        }
        if let Outlet::Sse(body) = self.connection.outlet() {
            body.waits(cx);
        }
        Poll::Pending
    }
}

impl Drop for EventStreamBody {
    fn drop(&mut self) {
        let end = if self.connection.session.borrow().has_ended() {
            Disconnect::Left
        } else {
            Disconnect::Lost
        };
        self.hub.close(&self.connection, end);
    }
}
