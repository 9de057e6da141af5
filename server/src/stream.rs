//! Streams: every swap of the board reaches every connected application, and acknowledgements come back.
//!
//! ```text
//! Board::publish -> feed (the newest head, its frames made once) -> a mailbox for each hub
//!   hub (one for each worker thread): a loop over its connections; writes as much as each accepts at once
//!     session (what was written last, so what is next; no queue)  ->  websocket: the socket itself | sse: a response body
//! client's ack -> session -> fleet
//! ```
//!
//! Not here: who may stream ([`Authorise`]), and who has confirmed what ([`fleet`](crate::fleet)).

mod ack;
mod admission;
mod authorise;
mod client_socket;
mod codec;
mod connection;
mod feed;
mod hello;
mod hub;
mod mailbox;
mod metrics;
mod opening;
mod poll;
mod session;
mod settings;
mod shared;
mod socket;
mod sse;
mod websocket;

use std::rc::Rc;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_http::{Request, Response};
use actix_web::body::BoxBody;
use actix_web::web;
use bytes::Bytes;
use parking_lot::Mutex;
use ripcord_proto::frame::Goodbye;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

pub use self::ack::is_acknowledgement;
pub use self::authorise::Authorise;
pub use self::client_socket::{ClientSocket, SocketControl};
pub use self::codec::count_messages;
use self::feed::Feeds;
pub use self::hello::hello_of_query;
use self::hub::Hub;
use self::mailbox::{Goodbyes, HubMessage, Mailbox};
pub use self::settings::StreamSettings;
use self::shared::StreamState;
use self::sse::{HubHandle, STREAM_PATH};
use crate::fleet::Fleet;
use crate::snapshot::board::{Board, Listener};
use crate::snapshot::frames::Frame;
use crate::tasks;

/// The paths of this room, for the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(sse::stream, ack::acknowledge, poll::snapshot))]
pub struct Paths;

/// All streams of this node. Cheap to clone.
#[derive(Clone)]
pub struct Streams(Arc<StreamState>);

impl Streams {
    /// Streams of everything on `board`. `fleet` must listen to the board already. `fresh` says whether this node reaches
    /// its store or every configured peer, which heartbeats carry.
    pub fn new(board: &Board, settings: StreamSettings, fleet: Fleet, authorise: Arc<dyn Authorise>, fresh: watch::Receiver<bool>) -> Self {
        let shared = Arc::new(StreamState {
            feeds: Feeds::new(settings.history),
            settings,
            fleet,
            authorise,
            fresh,
            mailboxes: Mutex::default(),
            goodbyes: Goodbyes::new(),
            closing: OnceLock::new(),
            tracker: TaskTracker::new(),
            waiting: AtomicUsize::new(0),
        });
        board.listen(Arc::clone(&shared) as Arc<dyn Listener>);
        Self(shared)
    }

    /// A hub for the calling worker thread. Must be called inside that thread's runtime, and the result stays there.
    pub fn worker(&self) -> Worker {
        let mailbox = Arc::new(Mailbox::default());
        let mut mailboxes = self.0.mailboxes.lock();
        mailboxes.retain(|mailbox| mailbox.strong_count() > 0);
        mailboxes.push(Arc::downgrade(&mailbox));
        drop(mailboxes);
        let hub = Hub::new(Arc::clone(&self.0), mailbox);
        // The loop over sockets is one long step on purpose: with the runtime's budget for a step, sockets that are ready would look
        // blocked.
        tasks::on_this_worker(tokio::task::unconstrained(Rc::clone(&hub).run()));
        Worker(hub)
    }

    /// Ends the streams of a key that was revoked, and those that were being opened with it.
    pub fn revoke(&self, key_id: &str) {
        self.0.post(&HubMessage::Revoked(key_id.into(), self.0.goodbyes.revoked.clone()));
    }

    /// Ends all streams with a goodbye that asks clients to come back after `retry_after` (they add full jitter), opens no
    /// more, and returns when all are gone, at most after `deadline`.
    pub async fn close(&self, retry_after: Duration, deadline: Duration) {
        let goodbye = Frame::goodbye(&Goodbye {
            why: "the server is shutting down".to_owned(),
            retry_after_ms: Some(u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX)),
            retry: Some(true),
        });
        let goodbye = self.0.closing.get_or_init(|| goodbye).clone();
        self.0.post(&HubMessage::Close(goodbye));
        self.0.tracker.close();
        // Readers that do not accept their goodbye in time are cut off with the process.
        let _ = tokio::time::timeout(deadline, self.0.tracker.wait()).await;
    }

    /// How many streams are open.
    pub fn open(&self) -> usize {
        self.0.tracker.len()
    }
}

/// The streams of one worker thread.
#[derive(Clone)]
pub struct Worker(Rc<Hub>);

impl Worker {
    /// Mounts `GET /v1/stream` (as an event stream), `POST /v1/stream/ack` and `GET /v1/snapshot`.
    pub fn routes(&self, config: &mut web::ServiceConfig) {
        config
            .app_data(web::Data::new(HubHandle(Rc::clone(&self.0))))
            .service(web::resource(STREAM_PATH).route(web::get().to(sse::stream)))
            .service(web::resource("/v1/stream/ack").route(web::post().to(ack::acknowledge)))
            .service(web::resource(poll::PATH).route(web::get().to(poll::snapshot)));
    }

    /// The answer to a poll for the snapshot, if it does not need the web framework.
    pub fn fast_path(&self, request: &Request) -> Option<Response<BoxBody>> {
        poll::fast_path(&self.0.shared, request)
    }

    /// Answers a WebSocket's opening request on a connection that was taken from the HTTP service. `early` is what came
    /// behind the request.
    pub async fn websocket(self, request: Request, transport: ClientSocket, early: Bytes) {
        opening::accept(self.0, request, transport, early).await;
    }
}
