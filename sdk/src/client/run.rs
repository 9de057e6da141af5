//! The background thread: it feeds the protocol with what comes and becomes due, and does what the protocol says.

use std::future::{Future, pending};
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ripcord_proto::delta::Urgency;
use ripcord_proto::frame::ClientFrame;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::cache::{Cache, Image};
use super::moment::Moment;
use super::options::{StartError, StartPolicy, Transport};
use super::protocol::{Effect, Fetched, Lost, Protocol};
use super::ready::{Alarm, keep_time};
use super::shared::Shared;
use super::status::{CacheStatus, State};
use super::transport::http::{Server, Whole};
use super::transport::{Received, Sent, Stream};

/// What the background thread is given.
pub(crate) struct Runner {
    pub(crate) protocol: Protocol,
    pub(crate) shared: Arc<Shared>,
    pub(crate) server: Server,
    pub(crate) transport: Transport,
    pub(crate) policy: StartPolicy,
    pub(crate) cache: Option<Cache>,
    pub(crate) close: CancellationToken,
}

/// The stream as the loop sees it.
enum Session {
    Down,
    Opening(BoxFuture<'static, Result<Stream, Lost>>),
    Up(Box<Stream>),
}

/// What happened to the stream.
enum Event {
    Opened(Box<Stream>),
    Received(Received),
    Lost(Lost),
}

impl Session {
    /// What happens next. May be dropped while it waits.
    async fn next(&mut self) -> Event {
        match self {
            Self::Down => pending().await,
            Self::Opening(opening) => match opening.await {
                Ok(stream) => Event::Opened(Box::new(stream)),
                Err(lost) => Event::Lost(lost),
            },
            Self::Up(stream) => match stream.receive().await {
                Ok(received) => Event::Received(received),
                Err(lost) => Event::Lost(lost),
            },
        }
    }
}

/// What the loop holds beside what it was given.
struct Loop {
    runner: Runner,
    session: Session,
    fetching: Option<BoxFuture<'static, Fetched>>,
    images: watch::Sender<Option<(Image, Urgency)>>,
}

/// Marks the client as ended however its thread ends. What was in force goes on answering.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.set_status(|status| status.state = State::Closed);
        self.0.end();
    }
}

/// Starts the thread: the stream, beside it the disk cache, the counts, and the time of those who wait.
pub(crate) fn spawn(runner: Runner, counting: Option<impl Future<Output = ()> + Send + 'static>, alarms: UnboundedReceiver<Alarm>) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?;
    let thread = std::thread::Builder::new().name("ripcord-client".to_owned());
    let spawned = thread.spawn(move || {
        let _ended = Ended(Arc::clone(&runner.shared));
        runtime.block_on(async {
            let counting = async {
                if let Some(counting) = counting {
                    counting.await;
                }
            };
            let working = async { tokio::join!(run(runner), counting) };
            tokio::select! {
                _ = working => {}
                never = keep_time(alarms) => match never {},
            }
        });
    });
    spawned.map(drop).map_err(StartError::Thread)
}

/// Runs until it is told to close: the stream, and beside it the disk cache.
async fn run(mut runner: Runner) {
    restore(&mut runner);
    let (images, written) = watch::channel(None);
    let writer = super::cache_writer::run(runner.cache.clone(), written, Arc::clone(&runner.shared));
    let mut looping = Loop {
        runner,
        session: Session::Down,
        fetching: None,
        images,
    };
    let streaming = async move {
        looping.until_closed().await;
        looping.end().await;
    };
    tokio::join!(streaming, writer);
}

/// Takes what an earlier process left on disk.
fn restore(runner: &mut Runner) {
    let Some(cache) = &runner.cache else { return };
    let loaded = cache.load();
    let now = Moment::now();
    let status = match loaded {
        Ok(None) => CacheStatus::Empty,
        Ok(Some((restored, written))) if runner.protocol.is_for(&restored.held.snapshot.environment) => {
            match runner.policy {
                StartPolicy::LastKnown => runner.protocol.restore(restored, now),
                StartPolicy::CallersDefaults | StartPolicy::NotReady => runner.protocol.restore_kills(&restored.overlay),
            }
            CacheStatus::Loaded { written }
        }
        Ok(Some((restored, _))) => CacheStatus::Ignored {
            why: format!("it holds the environment {}", restored.held.snapshot.environment),
        },
        Err(error) => {
            tracing::warn!(%error, "the disk cache is ignored");
            CacheStatus::Ignored { why: error.to_string() }
        }
    };
    runner.shared.set_status(|own| own.cache = status);
}

impl Loop {
    async fn until_closed(&mut self) {
        let close = self.runner.close.clone();
        loop {
            let now = Moment::now();
            self.runner.protocol.due(now);
            self.perform().await;
            let deadline = self.runner.protocol.deadline(now);
            tokio::select! {
                () = close.cancelled() => return,
                event = self.session.next() => self.happened(event),
                fetched = next(&mut self.fetching) => {
                    self.fetching = None;
                    self.runner.protocol.fetched(fetched, Moment::now());
                }
                () = until(deadline) => {}
            }
        }
    }

    fn happened(&mut self, event: Event) {
        let now = Moment::now();
        let protocol = &mut self.runner.protocol;
        match event {
            Event::Opened(stream) => {
                self.session = Session::Up(stream);
                protocol.opened(now);
            }
            Event::Received(Received::Frame(text)) => protocol.frame(&text, now),
            Event::Received(Received::Life) => protocol.heard(now),
            Event::Received(Received::Polled(polled)) => protocol.polled(polled.text.as_deref(), polled.freshness, polled.asked, now),
            Event::Lost(lost) => {
                tracing::debug!(?lost, "the stream is lost");
                self.session = Session::Down;
                protocol.lost(lost, now);
            }
        }
    }

    /// Does what the protocol says until it says nothing more. What the client says of itself comes last: whoever waits for a
    /// revision must find it in force.
    async fn perform(&mut self) {
        loop {
            let effects = self.runner.protocol.effects();
            if effects.is_empty() {
                return;
            }
            let told = effects.iter().any(|effect| matches!(effect, Effect::Status));
            for effect in effects {
                self.effect(effect).await;
            }
            if told {
                self.publish();
            }
        }
    }

    async fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Connect(hello) => {
                let (transport, server) = (self.runner.transport, self.runner.server.clone());
                self.session = Session::Opening(Stream::open(transport, server, *hello).boxed());
            }
            Effect::Disconnect => {
                if let Session::Up(stream) = std::mem::replace(&mut self.session, Session::Down) {
                    stream.close().await;
                }
            }
            Effect::Send(frame) => self.send(frame).await,
            Effect::Fetch(known) => self.fetch(known),
            Effect::Apply(apply) => self.runner.shared.apply(apply),
            Effect::Unheard(seconds) => self.runner.shared.set_unheard(seconds),
            Effect::Cache(urgency) => self.keep(urgency),
            // Once, after everything else.
            Effect::Status => {}
        }
    }

    async fn send(&mut self, frame: ClientFrame) {
        let Session::Up(stream) = &mut self.session else { return };
        match stream.send(frame).await {
            Ok(Sent::Done) => {}
            Ok(Sent::Fetch) => self.fetch(None),
            Err(lost) => {
                self.session = Session::Down;
                self.runner.protocol.lost(lost, Moment::now());
            }
        }
    }

    /// Asks for the whole state. An answer that is under way was asked for with what is older, so it is given up.
    fn fetch(&mut self, known: Option<String>) {
        let server = self.runner.server.clone();
        let fetching = async move {
            match server.whole(known.as_deref()).await {
                Ok(Whole { state: None, .. }) => Fetched::Unchanged,
                Ok(Whole { state: Some(text), .. }) => Fetched::State(text),
                Err(lost) => {
                    tracing::debug!(?lost, "the state could not be compared");
                    Fetched::Failed
                }
            }
        };
        self.fetching = Some(fetching.boxed());
    }

    fn keep(&self, urgency: Urgency) {
        let protocol = &self.runner.protocol;
        if let Some(held) = protocol.held() {
            let image = Image {
                snapshot: Arc::clone(&held.snapshot),
                hash: held.hash,
                overlay: protocol.overlay(),
                last_fresh: protocol.standing().last_fresh,
            };
            // Nobody takes it where there is no cache.
            let _ = self.images.send(Some((image, urgency)));
        }
    }

    fn publish(&self) {
        let standing = self.runner.protocol.standing();
        let policy = self.runner.policy;
        self.runner.shared.set_status(|status| {
            status.may_start |= match policy {
                StartPolicy::LastKnown => standing.state == State::Ready || (standing.tried && standing.position.is_some()),
                StartPolicy::CallersDefaults => standing.tried,
                StartPolicy::NotReady => standing.state == State::Ready,
            };
            status.state = standing.state;
            status.since = standing.since;
            status.position = standing.position;
            status.source = standing.source;
            status.last_heard = standing.last_heard;
            status.last_fresh = standing.last_fresh;
            status.provisional_kills = standing.provisional_kills;
            status.trouble = standing.trouble;
        });
    }

    async fn end(&mut self) {
        self.fetching = None;
        self.runner.protocol.close(Moment::now());
        self.perform().await;
    }
}

async fn next(fetching: &mut Option<BoxFuture<'static, Fetched>>) -> Fetched {
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
