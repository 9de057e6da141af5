//! The conversation with the server, without any I/O: what came or became due goes in, effects come out. It reads no clock,
//! owns no socket and no file, so that every order of events can be tried in a test.
//!
//! ```text
//!   opened · frame · lost · fetched · due   ->  Protocol  ->  Apply, Send, Connect, Disconnect, Fetch, Cache, Unheard, Status
//! ```
//!
//! What must not be here: a position that goes back within an epoch or to an older epoch; a state whose content hash differs
//! from the one that came with it; a provisional kill that is let go because nobody mentioned it.

mod apply;
mod healing;
mod overlay;
mod timers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ripcord_proto::delta::Urgency;
use ripcord_proto::frame::{Ack, ClientFrame, Goodbye, Heartbeat, Hello, Overlay, ServerFrame, snapshot_tag};
use ripcord_proto::snapshot::ContentHash;
use ripcord_proto::{EnvironmentKey, KillId, Position, Snapshot};

use super::lease::LeaseClock;
use super::moment::Moment;
use super::options::{Builder, Transport};
use super::status::{Source, State, Trouble};
use super::transport::backoff::Backoff;
use apply::Via;
pub(crate) use apply::{Difference, Restored};
use healing::Healing;
use overlay::KeptKills;

/// What the protocol is told once.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// The environment that must come; `None` = the key's only one.
    pub(crate) environment: Option<EnvironmentKey>,
    /// The instance's name.
    pub(crate) instance: String,
    /// Random, new for each process.
    pub(crate) instance_id: String,
    /// Whether this client's way to the server can carry acknowledgements.
    pub(crate) acknowledges: bool,
    /// Without anything heard for this long the stream counts as dead.
    pub(crate) silence: Duration,
    /// How often the client gives a sign of life.
    pub(crate) heartbeat: Duration,
    /// About how often the whole state is compared beside the stream; `None` where polling is the way already.
    pub(crate) reconcile: Option<Duration>,
}

impl Rules {
    /// As the application's settings say.
    pub(crate) fn new(builder: &Builder, environment: Option<EnvironmentKey>, instance_id: String) -> Self {
        let polling = match builder.transport {
            Transport::WebSocket | Transport::Sse => None,
            Transport::Poll { every } => Some(every),
        };
        Self {
            environment,
            instance: builder.instance.clone().unwrap_or_else(instance_name),
            instance_id,
            acknowledges: polling.is_none(),
            silence: builder.silence.max(polling.unwrap_or_default() * 3),
            heartbeat: builder.heartbeat,
            reconcile: polling.is_none().then_some(builder.reconcile),
        }
    }
}

/// The host's name as the environment tells it, and the process id.
fn instance_name() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "app".to_owned());
    format!("{host}-{}", std::process::id())
}

/// What is in force.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// The committed state.
    pub(crate) snapshot: Arc<Snapshot>,
    /// Its content hash.
    pub(crate) hash: ContentHash,
}

/// What is to be done, in this order.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Open the stream, saying this.
    Connect(Box<Hello>),
    /// Let the stream go.
    Disconnect,
    /// Send a frame on the stream.
    Send(ClientFrame),
    /// Ask for the whole state beside the stream, unless it still has this entity tag.
    Fetch(Option<String>),
    /// Compile this and swap it in.
    Apply(Apply),
    /// Tell evaluations how many seconds the server has been unheard; 0 = no lease has run out.
    Unheard(u32),
    /// Write the disk cache.
    Cache(Urgency),
    /// Publish [`Protocol::standing`].
    Status,
}

/// A state to put in force.
#[derive(Debug)]
pub(crate) struct Apply {
    /// The committed state.
    pub(crate) snapshot: Arc<Snapshot>,
    /// How it differs from the state before.
    pub(crate) difference: Difference,
}

impl Apply {
    /// A state that no server sent.
    pub(crate) fn by_hand(snapshot: Snapshot) -> Self {
        Self {
            snapshot: Arc::new(snapshot),
            difference: Difference::anew(Vec::new()),
        }
    }
}

/// Why a stream is no more, or never was.
#[derive(Debug, Clone)]
pub(crate) enum Lost {
    /// It broke, or could not be opened.
    Broken(String),
    /// The server asked to come later.
    Later(String, Duration),
    /// The server refused this client.
    Refused { status: u16, detail: String },
}

/// Whether the node that answered vouches that no kill has passed it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It does.
    Fresh,
    /// It does not: it cannot reach its store.
    Stale,
}

/// Beside the stream: the answer to [`Effect::Fetch`].
#[derive(Debug)]
pub(crate) enum Fetched {
    /// It is still the state that was named.
    Unchanged,
    /// The snapshot frame.
    State(String),
    /// No answer.
    Failed,
}

/// Where the client stands, for its status.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) state: State,
    pub(crate) since: Timestamp,
    pub(crate) position: Option<Position>,
    pub(crate) source: Source,
    pub(crate) last_heard: Option<Timestamp>,
    pub(crate) last_fresh: Option<Timestamp>,
    pub(crate) provisional_kills: Vec<KillId>,
    pub(crate) trouble: Option<Trouble>,
    /// Whether the first try to reach the server has ended, well or not.
    pub(crate) tried: bool,
}

/// The stream.
#[derive(Debug, Clone, Copy)]
enum Link {
    /// None; the next try is due then.
    Down { retry: Instant },
    /// Being opened.
    Opening,
    /// Open; when something was last heard, and when the next sign of life is due.
    Up { heard: Instant, beat: Instant },
    /// Never again.
    Closed,
}

/// The protocol's state.
#[derive(Debug)]
pub(crate) struct Protocol {
    rules: Rules,
    state: State,
    since: Timestamp,
    trouble: Option<Trouble>,
    tried: bool,
    last_heard: Option<Timestamp>,
    source: Source,
    held: Option<Held>,
    kept: KeptKills,
    /// The overlay as the server sent it last, which is part of the entity tag of its state.
    theirs: Overlay,
    leases: LeaseClock,
    unheard: u32,
    noted: Option<Instant>,
    link: Link,
    backoff: Backoff,
    healing: Healing,
    acks: timers::Acks,
    reconcile: Option<Instant>,
    /// A position that came by [`Effect::Fetch`] and that the stream has not shown yet.
    fetched_ahead: Option<Position>,
    effects: Vec<Effect>,
}

impl Protocol {
    /// Nothing known, nothing open; the first connection is due at once.
    pub(crate) fn new(rules: Rules, seed: u64, now: Moment) -> Self {
        let mut backoff = Backoff::new(seed);
        let reconcile = rules.reconcile.map(|period| now.instant + backoff.around(period));
        Self {
            rules,
            state: State::Connecting,
            since: now.wall,
            trouble: None,
            tried: false,
            last_heard: None,
            source: Source::Nothing,
            held: None,
            kept: KeptKills::default(),
            theirs: Overlay::default(),
            leases: LeaseClock::start(now),
            unheard: 0,
            noted: None,
            link: Link::Down { retry: now.instant },
            backoff,
            healing: Healing::default(),
            acks: timers::Acks::default(),
            reconcile,
            fetched_ahead: None,
            effects: Vec::new(),
        }
    }

    /// What is to be done, and forgets it.
    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// What is in force.
    pub(crate) fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// The position in force.
    pub(crate) fn position(&self) -> Option<Position> {
        self.held.as_ref().map(|held| held.snapshot.position)
    }

    /// Whether this client may be for `environment`.
    pub(crate) fn is_for(&self, environment: &EnvironmentKey) -> bool {
        self.rules.environment.as_ref().is_none_or(|own| own == environment)
    }

    /// The provisional kills kept, as an overlay.
    pub(crate) fn overlay(&self) -> Overlay {
        self.kept.as_overlay()
    }

    /// Where the client stands.
    pub(crate) fn standing(&self) -> Standing {
        Standing {
            state: self.state,
            since: self.since,
            position: self.position(),
            source: self.source,
            last_heard: self.last_heard,
            last_fresh: self.leases.last_fresh(),
            provisional_kills: self.kept.ids(),
            trouble: self.trouble.clone(),
            tried: self.tried,
        }
    }

    /// The stream is open.
    pub(crate) fn opened(&mut self, now: Moment) {
        self.link = Link::Up {
            heard: now.instant,
            beat: now.instant + self.rules.heartbeat,
        };
        self.heard(now);
    }

    /// The stream is no more, or could not be opened.
    pub(crate) fn lost(&mut self, lost: Lost, now: Moment) {
        let (trouble, wait) = match lost {
            Lost::Broken(why) => (Trouble::Unreachable(why), self.backoff.failed()),
            Lost::Later(why, wait) => (Trouble::Goodbye(why), self.backoff.told(wait)),
            Lost::Refused { status, detail } => (Trouble::Refused { status, detail }, self.backoff.refused()),
        };
        self.fall_back(trouble, wait, now);
    }

    /// The stream is gone: serve what is here, and come back after `wait`.
    fn fall_back(&mut self, trouble: Trouble, wait: Duration, now: Moment) {
        if matches!(self.link, Link::Closed) {
            return;
        }
        self.tried = true;
        self.healing.disconnected();
        self.link = Link::Down { retry: now.instant + wait };
        let state = if self.held.is_some() { State::Stale } else { State::Connecting };
        self.enter(state, Some(trouble), now);
    }

    /// A frame came. One that cannot be read may have carried a kill: a snapshot makes up for it.
    pub(crate) fn frame(&mut self, text: &str, now: Moment) {
        if matches!(self.link, Link::Closed) {
            return;
        }
        self.heard(now);
        match ServerFrame::parse(text) {
            Ok(ServerFrame::Snapshot(snapshot, hash, overlay)) => self.snapshot(*snapshot, hash, &overlay, Via::Stream, now),
            Ok(ServerFrame::Delta(delta)) => self.delta(&delta, now),
            Ok(ServerFrame::Overlay(overlay)) => self.overlaid(&overlay, now),
            Ok(ServerFrame::Heartbeat(heartbeat)) => self.heartbeat(&heartbeat, now),
            Ok(ServerFrame::Goodbye(goodbye)) => self.goodbye(goodbye, now),
            // A kind of frame that only a newer client knows concerns nothing that this one evaluates.
            Err(faults) if faults.all().iter().all(|fault| fault.path == "type") => {}
            Err(faults) => self.ask_resync(faults.to_string(), now),
        }
    }

    /// Something came, whatever it was.
    pub(crate) fn heard(&mut self, now: Moment) {
        self.last_heard = Some(now.wall);
        if let Link::Up { heard, .. } = &mut self.link {
            *heard = now.instant;
        }
        self.effects.push(Effect::Status);
    }

    /// A node is alive at `heartbeat`'s position.
    pub(crate) fn heartbeat(&mut self, heartbeat: &Heartbeat, now: Moment) {
        let theirs = Position {
            epoch: heartbeat.epoch,
            revision: heartbeat.revision,
        };
        let Some(own) = self.position() else { return };
        if theirs < own {
            // An older node cannot vouch that no kill has passed this client by.
            if self.healing.seen_behind(theirs) {
                self.enter(State::Stale, Some(Trouble::Behind { own, theirs }), now);
            }
            return;
        }
        if heartbeat.fresh {
            self.fresh(now);
        }
        self.healing.not_behind();
        if theirs == own {
            let lifted = self.kept.caught_up();
            self.reapply(&lifted, now);
            self.in_sync(now);
        } else if self.state == State::Ready && self.healing.seen_ahead(theirs, own) {
            self.ask_resync(format!("the server is at {theirs}, its changes since {own} never came"), now);
        }
    }

    /// Polled: `text` is the snapshot frame, `None` = nothing new. `fresh` says that the node vouches for it, `asked` when it was
    /// asked.
    pub(crate) fn polled(&mut self, text: Option<&str>, freshness: Freshness, asked: Moment, now: Moment) {
        match text {
            Some(text) => self.frame(text, now),
            None => self.heard(now),
        }
        if freshness == Freshness::Fresh && self.held.is_some() && self.healing.deadline().is_none() {
            self.fresh(asked);
            self.in_sync(now);
        }
    }

    /// Leases begin anew, and the disk is told now and then.
    fn fresh(&mut self, now: Moment) {
        self.leases.heard(now);
        self.tell_unheard(now);
        let due = self
            .noted
            .is_none_or(|noted| self.leases.noted_every().is_some_and(|period| now.since(noted) >= period));
        if due {
            self.noted = Some(now.instant);
            self.effects.push(Effect::Cache(Urgency::Ordinary));
        }
    }

    fn tell_unheard(&mut self, now: Moment) {
        let unheard = self.leases.exhausted(now);
        if unheard != self.unheard {
            self.unheard = unheard;
            self.effects.push(Effect::Unheard(unheard));
        }
    }

    fn goodbye(&mut self, goodbye: Goodbye, now: Moment) {
        self.effects.push(Effect::Disconnect);
        let wait = match (goodbye.retry, goodbye.retry_after_ms) {
            (Some(false), _) => self.backoff.refused(),
            (_, Some(ms)) => self.backoff.told(Duration::from_millis(ms)),
            (_, None) => self.backoff.failed(),
        };
        self.fall_back(Trouble::Goodbye(goodbye.why), wait, now);
    }

    /// The server's state is in force.
    fn in_sync(&mut self, now: Moment) {
        self.tried = true;
        if self.state == State::Ready {
            return;
        }
        self.backoff.succeeded();
        self.healing.succeeded();
        self.enter(State::Ready, None, now);
        self.acknowledge(now);
    }

    fn enter(&mut self, state: State, trouble: Option<Trouble>, now: Moment) {
        if state != self.state {
            self.state = state;
            self.since = now.wall;
        }
        self.trouble = trouble;
        self.effects.push(Effect::Status);
    }

    /// Says what is in force, at once.
    fn acknowledge(&mut self, now: Moment) {
        let Some(held) = &self.held else { return };
        self.acks.sent(now);
        let Position { epoch, revision } = held.snapshot.position;
        let (hash, kills) = (held.hash, self.kept.ids());
        self.send(ClientFrame::Ack(Ack { epoch, revision, hash, kills }));
    }

    /// Frames go out on an open stream only; a new stream begins with a hello that says it all.
    fn send(&mut self, frame: ClientFrame) {
        if self.is_up() {
            self.effects.push(Effect::Send(frame));
        }
    }

    /// Whether a stream is open.
    fn is_up(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    /// The entity tag of the state in force.
    fn tag(&self) -> Option<String> {
        let held = self.held.as_ref()?;
        snapshot_tag(held.snapshot.position, &held.hash, &self.theirs).ok()
    }

    fn hello(&self) -> Hello {
        let position = self.position();
        Hello {
            sdk: concat!("ripcord-rust/", env!("CARGO_PKG_VERSION")).to_owned(),
            instance: self.rules.instance.clone(),
            instance_id: self.rules.instance_id.clone(),
            epoch: position.map(|position| position.epoch),
            revision: position.map(|position| position.revision),
            hash: self.held.as_ref().map(|held| held.hash),
            acknowledges: self.rules.acknowledges,
        }
    }

    /// The application ends, or has let the client go.
    pub(crate) fn close(&mut self, now: Moment) {
        self.send(ClientFrame::Goodbye(Goodbye {
            why: "the application ends".to_owned(),
            retry_after_ms: None,
            retry: None,
        }));
        self.link = Link::Closed;
        self.effects.push(Effect::Disconnect);
        self.effects.push(Effect::Cache(Urgency::Urgent));
        self.enter(State::Closed, None, now);
    }
}

#[cfg(test)]
pub(super) mod tests;
