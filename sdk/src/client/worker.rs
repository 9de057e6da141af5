//! The background thread: passes messages and due times to the protocol, and carries out its effects.

use std::future::{Future, pending};
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ripcord_proto::delta::Urgency;
use ripcord_proto::frame::ClientFrame;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::alarms::{Alarm, ring};
use super::cache::{Cache, CacheEntry};
use super::cache_writer;
use super::options::{StartPolicy, Transport};
use super::protocol::{Effect, FetchResult, Protocol, StreamError};
use super::shared::Shared;
use super::start_error::StartError;
use super::status::{CacheStatus, State};
use super::time_point::TimePoint;
use super::transport::http::{Server, SnapshotResponse};
use super::transport::{Received, Sent, Stream};

/// What the background thread starts with.
pub(crate) struct Parts {
    pub(crate) protocol: Protocol,
    pub(crate) shared: Arc<Shared>,
    pub(crate) server: Server,
    pub(crate) transport: Transport,
    pub(crate) start_policy: StartPolicy,
    pub(crate) cache: Option<Cache>,
    pub(crate) close: CancellationToken,
}

/// The stream.
enum Session {
    Down,
    Opening(BoxFuture<'static, Result<Stream, StreamError>>),
    Up(Box<Stream>),
}

/// What happened to the stream.
enum Event {
    Opened(Box<Stream>),
    Received(Received),
    Lost(StreamError),
}

impl Session {
    /// The next event. The future may be dropped while it waits.
    async fn next(&mut self) -> Event {
        match self {
            Self::Down => pending().await,
            Self::Opening(opening) => match opening.await {
                Ok(stream) => Event::Opened(Box::new(stream)),
                Err(error) => Event::Lost(error),
            },
            Self::Up(stream) => match stream.receive().await {
                Ok(received) => Event::Received(received),
                Err(error) => Event::Lost(error),
            },
        }
    }
}

/// The state of the background thread.
struct Worker {
    parts: Parts,
    session: Session,
    fetching: Option<BoxFuture<'static, FetchResult>>,
    entries: watch::Sender<Option<(CacheEntry, Urgency)>>,
}

/// Marks the client as closed, however its thread ends. Evaluations continue to answer from the last state.
struct CloseOnDrop(Arc<Shared>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.status().update(|status| status.state = State::Closed);
        self.0.end();
    }
}

/// Starts the thread, which runs the stream, the disk cache, the reporting and the alarms.
pub(crate) fn spawn(parts: Parts, reporting: Option<impl Future<Output = ()> + Send + 'static>, alarms: UnboundedReceiver<Alarm>) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?;
    let thread = std::thread::Builder::new().name("ripcord-client".to_owned());
    let spawned = thread.spawn(move || {
        let _ended = CloseOnDrop(Arc::clone(&parts.shared));
        runtime.block_on(async {
            let reporting = async {
                if let Some(reporting) = reporting {
                    reporting.await;
                }
            };
            let working = async { tokio::join!(run(parts), reporting) };
            tokio::select! {
                _ = working => {}
                never = ring(alarms) => match never {},
            }
        });
    });
    spawned.map(drop).map_err(StartError::Thread)
}

/// Runs the stream and the disk cache until the client is closed.
async fn run(mut parts: Parts) {
    restore(&mut parts);
    let (entries, written) = watch::channel(None);
    let status = Arc::clone(parts.shared.status());
    let writer = cache_writer::run(parts.cache.clone(), written, &status);
    let mut worker = Worker {
        parts,
        session: Session::Down,
        fetching: None,
        entries,
    };
    let streaming = async move {
        worker.until_closed().await;
        worker.end().await;
    };
    tokio::join!(streaming, writer);
}

/// Loads what an earlier process left in the disk cache.
fn restore(parts: &mut Parts) {
    let Some(cache) = &parts.cache else { return };
    let loaded = cache.load();
    let now = TimePoint::now();
    let status = match loaded {
        Ok(None) => CacheStatus::Empty,
        Ok(Some((restored, written))) if parts.protocol.is_for(&restored.state.snapshot.environment) => {
            match parts.start_policy {
                StartPolicy::LastKnown => parts.protocol.restore(restored, now),
                StartPolicy::CallersDefaults | StartPolicy::NotReady => parts.protocol.restore_kills(&restored.overlay),
            }
            CacheStatus::Loaded { written }
        }
        Ok(Some((restored, _))) => CacheStatus::Ignored {
            why: format!("it is for the environment {}", restored.state.snapshot.environment),
        },
        Err(error) => {
            tracing::warn!(%error, "ignoring the disk cache");
            CacheStatus::Ignored { why: error.to_string() }
        }
    };
    parts.shared.status().update(|own| own.cache = status);
}

impl Worker {
    async fn until_closed(&mut self) {
        let close = self.parts.close.clone();
        loop {
            let now = TimePoint::now();
            self.parts.protocol.due(now);
            self.perform().await;
            let deadline = self.parts.protocol.deadline(now);
            tokio::select! {
                () = close.cancelled() => return,
                event = self.session.next() => self.handle(event),
                fetched = next(&mut self.fetching) => {
                    self.fetching = None;
                    self.parts.protocol.fetched(fetched, TimePoint::now());
                }
                () = until(deadline) => {}
            }
        }
    }

    fn handle(&mut self, event: Event) {
        let now = TimePoint::now();
        let protocol = &mut self.parts.protocol;
        match event {
            Event::Opened(stream) => {
                self.session = Session::Up(stream);
                protocol.opened(now);
            }
            Event::Received(Received::Frame(text)) => protocol.frame(&text, now),
            Event::Received(Received::KeepAlive) => protocol.heard(now),
            Event::Received(Received::Polled(polled)) => protocol.polled(polled.text.as_deref(), polled.freshness, polled.asked, now),
            Event::Lost(error) => {
                tracing::debug!(?error, "the stream ended");
                self.session = Session::Down;
                protocol.lost(error, now);
            }
        }
    }

    /// Carries out the effects until there are no more. The status is published last, so that a caller who waits for a revision finds it
    /// current.
    async fn perform(&mut self) {
        loop {
            let effects = self.parts.protocol.effects();
            if effects.is_empty() {
                return;
            }
            let has_status = effects.iter().any(|effect| matches!(effect, Effect::Status));
            for effect in effects {
                self.effect(effect).await;
            }
            if has_status {
                self.publish();
            }
        }
    }

    async fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Connect(hello) => {
                let (transport, server) = (self.parts.transport, self.parts.server.clone());
                self.session = Session::Opening(Stream::open(transport, server, *hello).boxed());
            }
            Effect::Disconnect => {
                if let Session::Up(stream) = std::mem::replace(&mut self.session, Session::Down) {
                    stream.close().await;
                }
            }
            Effect::Send(frame) => self.send(frame).await,
            Effect::Fetch(known) => self.fetch(known),
            Effect::Apply(new) => self.parts.shared.apply(new),
            Effect::SinceContact(seconds) => self.parts.shared.set_since_contact(seconds),
            Effect::Cache(urgency) => self.cache(urgency),
            // Published once, after everything else.
            Effect::Status => {}
        }
    }

    async fn send(&mut self, frame: ClientFrame) {
        let Session::Up(stream) = &mut self.session else { return };
        match stream.send(frame).await {
            Ok(Sent::Done) => {}
            Ok(Sent::Fetch) => self.fetch(None),
            Err(error) => {
                self.session = Session::Down;
                self.parts.protocol.lost(error, TimePoint::now());
            }
        }
    }

    /// Fetches the whole state. A fetch that is under way asked for less, so it is dropped.
    fn fetch(&mut self, known: Option<String>) {
        let server = self.parts.server.clone();
        let fetching = async move {
            match server.snapshot(known.as_deref()).await {
                Ok(SnapshotResponse { state: None, .. }) => FetchResult::Unchanged,
                Ok(SnapshotResponse { state: Some(text), .. }) => FetchResult::State(text),
                Err(error) => {
                    tracing::debug!(?error, "cannot compare the state with the server's");
                    FetchResult::Failed
                }
            }
        };
        self.fetching = Some(fetching.boxed());
    }

    fn cache(&self, urgency: Urgency) {
        let protocol = &self.parts.protocol;
        if let Some(held) = protocol.held() {
            let entry = CacheEntry {
                snapshot: Arc::clone(&held.snapshot),
                hash: held.hash,
                overlay: protocol.overlay(),
                last_fresh: protocol.status().last_fresh,
            };
            // Without a cache there is no receiver.
            let _ = self.entries.send(Some((entry, urgency)));
        }
    }

    fn publish(&self) {
        let own = self.parts.protocol.status();
        let may_start = match self.parts.start_policy {
            StartPolicy::LastKnown => own.state == State::Ready || (own.tried && own.position.is_some()),
            StartPolicy::CallersDefaults => own.tried,
            StartPolicy::NotReady => own.state == State::Ready,
        };
        self.parts.shared.status().update(|status| {
            status.may_start |= may_start;
            status.state = own.state;
            status.since = own.since;
            status.position = own.position;
            status.source = own.source;
            status.last_heard = own.last_heard;
            status.last_fresh = own.last_fresh;
            status.provisional_kills = own.provisional_kills;
            status.error = own.error;
        });
    }

    async fn end(&mut self) {
        self.fetching = None;
        self.parts.protocol.close(TimePoint::now());
        self.perform().await;
    }
}

async fn next(fetching: &mut Option<BoxFuture<'static, FetchResult>>) -> FetchResult {
    match fetching {
        Some(fetching) => fetching.await,
        None => pending().await,
    }
}

async fn until(deadline: Option<std::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => pending().await,
    }
}
