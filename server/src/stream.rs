//! Streams: every swap of the board reaches every connected application, and their acknowledgements come back.
//!
//! ```text
//! Board::publish -> feed (the newest head, its frames made once) -> a mailbox for each hub
//!   hub (one for each worker thread): a loop over its connections, each written to as far as it takes at once
//!     session (what was written last, so what is next; no queue)  ->  websocket: the socket itself | sse: a response body
//! client's ack -> session -> fleet
//! ```
//!
//! Not here: who may stream (asked of [`Authorise`]), who has confirmed what ([`fleet`](crate::fleet)).

mod ack;
mod admission;
mod authorise;
mod client_socket;
mod connection;
mod feed;
mod hello;
mod hub;
mod metrics;
mod poll;
mod session;
mod sse;
mod websocket;

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use actix_http::{Request, Response};
use actix_web::body::BoxBody;
use actix_web::http::header::HeaderMap;
use actix_web::web;
use bytes::Bytes;
use parking_lot::Mutex;
use ripcord_proto::EnvironmentKey;
use ripcord_proto::frame::Goodbye;
use ripcord_proto::problem::Code;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

pub use self::authorise::Authorise;
pub use self::client_socket::{ClientSocket, SocketControl};
use self::connection::Timeouts;
use self::feed::{Feed, Feeds};
use self::hub::{Goodbyes, Hub, HubMessage, Mailbox};
use self::sse::HubHandle;
use crate::fleet::Fleet;
use crate::http::ApiError;
use crate::snapshot::board::{Board, Listener};
use crate::snapshot::frames::Frame;
use crate::snapshot::history::HistoryLimits;
use crate::snapshot::publication::Publication;
use crate::tasks;
use crate::telemetry::names;

/// The paths of this room, for the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(sse::stream, ack::acknowledge, poll::snapshot))]
pub struct Paths;

/// Where streams are.
const STREAM_PATH: &str = "/v1/stream";

/// How streams are run.
#[derive(Debug, Clone)]
pub struct StreamSettings {
    /// Worker threads that will call [`Streams::worker`]; the rate of admissions is shared among them.
    pub workers: usize,
    /// From one heartbeat to the next. A client that is silent for three is lost.
    pub heartbeat: Duration,
    /// First payloads a second, over all workers. Those who wait are let in in their turn.
    pub admissions_per_second: f64,
    /// Clients that may wait for their first payload; further ones are refused with 503.
    pub waiting: usize,
    /// Open streams; further ones are refused with 503.
    pub connections: usize,
    /// How long after its handshake a WebSocket's client may take to say hello.
    pub hello: Duration,
    /// How long a reader may take no byte of what is to be written before it is cut off.
    pub stuck: Duration,
    /// How much history is kept for combined deltas.
    pub history: HistoryLimits,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get),
            heartbeat: Duration::from_secs(15),
            admissions_per_second: 2_000.0,
            waiting: 50_000,
            connections: 200_000,
            hello: Duration::from_secs(10),
            stuck: Duration::from_mins(1),
            history: HistoryLimits::default(),
        }
    }
}

impl StreamSettings {
    fn patience(&self) -> Timeouts {
        Timeouts {
            hello: self.hello,
            silence: self.heartbeat * 3,
            stuck: self.stuck,
            goodbye: Duration::from_secs(5),
        }
    }
}

/// All streams of this node. Cheap to clone.
#[derive(Clone)]
pub struct Streams(Arc<StreamState>);

pub(crate) struct StreamState {
    settings: StreamSettings,
    feeds: Feeds,
    fleet: Fleet,
    authorise: Arc<dyn Authorise>,
    fresh: watch::Receiver<bool>,
    mailboxes: Mutex<Vec<Weak<Mailbox>>>,
    goodbyes: Goodbyes,
    closing: OnceLock<Frame>,
    tracker: TaskTracker,
    waiting: AtomicUsize,
}

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
        // The loop over sockets is one long step on purpose; the runtime's budget for a step would have it report sockets as
        // blocked that are not.
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
        // Those who do not take their goodbye in time are cut off with the process.
        let _ = tokio::time::timeout(deadline, self.0.tracker.wait()).await;
    }

    /// How many streams are open.
    pub fn open(&self) -> usize {
        self.0.tracker.len()
    }
}

impl StreamState {
    fn post(&self, order: &HubMessage) {
        let mailboxes = self.mailboxes.lock();
        for mailbox in mailboxes.iter().filter_map(Weak::upgrade) {
            mailbox.post(order.clone());
        }
    }

    /// The feed that a request may read, and the key's id.
    fn authorised(&self, headers: &HeaderMap, environment: Option<&str>) -> Result<(Arc<Feed>, Arc<str>), ApiError> {
        let principal = self.authorise.authorise(headers)?;
        let environment = authorise::environment_of(&principal, environment)?;
        let feed = self
            .feeds
            .of(environment.as_str())
            .ok_or_else(|| ApiError::new(Code::EnvironmentNotFound, format!("There is no environment {environment}.")))?;
        Ok((feed, principal.id))
    }

    /// The same for a new stream, while there is room for one.
    fn grant(&self, headers: &HeaderMap, environment: Option<&str>) -> Result<(Arc<Feed>, Arc<str>), ApiError> {
        let granted = self.authorised(headers, environment)?;
        if self.closing.get().is_some() {
            return Err(ApiError::new(Code::NotReady, "This node is shutting down; try again in a moment.").retry_after(1));
        }
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting >= self.settings.waiting || self.tracker.len() >= self.settings.connections {
            return Err(ApiError::new(Code::NotReady, "This node has as many streams as it can take; try again later.").retry_after(5));
        }
        Ok(granted)
    }

    fn waits(&self, change: i32) {
        if change > 0 {
            self.waiting.fetch_add(1, Ordering::Relaxed);
        } else {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        ::metrics::gauge!(names::STREAM_ADMISSIONS_WAITING).increment(f64::from(change));
    }

    fn refused(refusal: &ApiError) {
        ::metrics::counter!(names::STREAM_REFUSALS, "why" => refusal.problem().code.as_str()).increment(1);
    }
}

impl Listener for StreamState {
    fn published(&self, environment: &EnvironmentKey, publication: &Publication) {
        self.feeds.publish(environment, publication);
        self.post(&HubMessage::Published(environment.clone()));
    }

    fn removed(&self, environment: &EnvironmentKey) {
        self.feeds.remove(environment);
        self.post(&HubMessage::Removed(environment.clone(), self.goodbyes.removed.clone()));
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
            .service(
                web::resource("/v1/stream/ack")
                    .app_data(web::PayloadConfig::new(ack::BODY_BYTES))
                    .route(web::post().to(ack::acknowledge)),
            )
            .service(web::resource(poll::PATH).route(web::get().to(poll::snapshot)));
    }

    /// The answer to a poll for the snapshot, where it needs nothing of the web framework.
    pub fn fast_path(&self, request: &Request) -> Option<Response<BoxBody>> {
        poll::fast_path(&self.0.shared, request)
    }

    /// Answers a WebSocket's opening request on a connection that was taken from the HTTP service. `early` is what came
    /// behind the request.
    pub async fn websocket(self, request: Request, transport: ClientSocket, early: Bytes) {
        websocket::accept(self.0, request, transport, early).await;
    }
}
