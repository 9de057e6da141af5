//! The state machine: connection, heartbeats, acknowledgements. How states are applied is in `apply.rs`, how the client recovers from
//! what does not fit in `resync.rs`, and what happens with time in `timers.rs`.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use ripcord_proto::delta::Urgency;
use ripcord_proto::frame::{Ack, ClientFrame, Goodbye, Heartbeat, Hello, Overlay, ServerFrame, snapshot_tag};
use ripcord_proto::{EnvironmentKey, Position};

use super::acks::Acks;
use super::config::Config;
use super::effect::{Effect, Freshness, HeldState, Origin, ProtocolStatus, StreamError};
use super::provisional_kills::ProvisionalKills;
use super::resync_state::ResyncState;
use crate::client::backoff::Backoff;
use crate::client::lease::LeaseClock;
use crate::client::status::{ConnectionError, Source, State};
use crate::client::time_point::TimePoint;

/// The stream to the server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Link {
    /// There is none; the next attempt is due at `retry`.
    Down { retry: Instant },
    /// Being opened.
    Opening,
    /// Open: when the last message arrived, and when the next heartbeat of our own is due.
    Up { heard: Instant, beat: Instant },
    /// The client is closed.
    Closed,
}

/// The state of the conversation.
#[derive(Debug)]
pub(crate) struct Protocol {
    pub(super) config: Config,
    pub(super) state: State,
    pub(super) since: Timestamp,
    pub(super) error: Option<ConnectionError>,
    pub(super) tried: bool,
    pub(super) last_heard: Option<Timestamp>,
    pub(super) source: Source,
    pub(super) held: Option<HeldState>,
    pub(super) provisional: ProvisionalKills,
    /// The overlay that the server sent last, which is part of the entity tag of its state.
    pub(super) server_overlay: Overlay,
    pub(super) leases: LeaseClock,
    pub(super) since_contact: u32,
    pub(super) persisted: Option<Instant>,
    pub(super) link: Link,
    pub(super) backoff: Backoff,
    pub(super) resync_state: ResyncState,
    pub(super) acks: Acks,
    pub(super) reconcile: Option<Instant>,
    /// A position that was fetched and that the stream has not shown yet.
    pub(super) fetched_ahead: Option<Position>,
    pub(super) effects: Vec<Effect>,
}

impl Protocol {
    /// Without data and stream; the first connection is due at once.
    pub(crate) fn new(config: Config, seed: u64, now: TimePoint) -> Self {
        let mut backoff = Backoff::new(seed);
        let reconcile = config.reconcile.map(|period| now.instant + backoff.around(period));
        Self {
            config,
            state: State::Connecting,
            since: now.wall,
            error: None,
            tried: false,
            last_heard: None,
            source: Source::Nothing,
            held: None,
            provisional: ProvisionalKills::default(),
            server_overlay: Overlay::default(),
            leases: LeaseClock::start(now),
            since_contact: 0,
            persisted: None,
            link: Link::Down { retry: now.instant },
            backoff,
            resync_state: ResyncState::default(),
            acks: Acks::default(),
            reconcile,
            fetched_ahead: None,
            effects: Vec::new(),
        }
    }

    /// Takes the effects to be carried out.
    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The current state.
    pub(crate) fn held(&self) -> Option<&HeldState> {
        self.held.as_ref()
    }

    /// The current position.
    pub(crate) fn position(&self) -> Option<Position> {
        self.held.as_ref().map(|held| held.snapshot.position)
    }

    /// Whether this client accepts the state of `environment`.
    pub(crate) fn is_for(&self, environment: &EnvironmentKey) -> bool {
        self.config.environment.as_ref().is_none_or(|own| own == environment)
    }

    /// The provisional kills, as an overlay.
    pub(crate) fn overlay(&self) -> Overlay {
        self.provisional.as_overlay()
    }

    /// For the status of the client.
    pub(crate) fn status(&self) -> ProtocolStatus {
        ProtocolStatus {
            state: self.state,
            since: self.since,
            position: self.position(),
            source: self.source,
            last_heard: self.last_heard,
            last_fresh: self.leases.last_fresh(),
            provisional_kills: self.provisional.ids(),
            error: self.error.clone(),
            tried: self.tried,
        }
    }

    /// The stream is open.
    pub(crate) fn opened(&mut self, now: TimePoint) {
        self.link = Link::Up {
            heard: now.instant,
            beat: now.instant + self.config.heartbeat,
        };
        self.heard(now);
    }

    /// The stream ended or could not be opened.
    pub(crate) fn lost(&mut self, error: StreamError, now: TimePoint) {
        let (error, wait) = match error {
            StreamError::Broken(why) => (ConnectionError::Unreachable(why), self.backoff.failed()),
            StreamError::Later(why, wait) => (ConnectionError::Goodbye(why), self.backoff.at_least(wait)),
            StreamError::Refused { status, detail } => (ConnectionError::Refused { status, detail }, self.backoff.refused()),
        };
        let is_key_refused = matches!(error, ConnectionError::Refused { status: 401 | 403, .. });
        self.fall_back(error, wait, now);
        if is_key_refused && !matches!(self.link, Link::Closed) {
            self.enter(State::Unauthorised, self.error.clone(), now);
        }
    }

    /// The stream is gone: keep the current state and reconnect after `wait`.
    pub(super) fn fall_back(&mut self, error: ConnectionError, wait: Duration, now: TimePoint) {
        if matches!(self.link, Link::Closed) {
            return;
        }
        self.tried = true;
        self.resync_state.disconnected();
        self.link = Link::Down { retry: now.instant + wait };
        let state = if self.held.is_some() { State::Stale } else { State::Connecting };
        self.enter(state, Some(error), now);
    }

    /// A frame arrived. One that cannot be parsed may have carried a kill, so a snapshot is requested.
    pub(crate) fn frame(&mut self, text: &str, now: TimePoint) {
        if matches!(self.link, Link::Closed) {
            return;
        }
        self.heard(now);
        match ServerFrame::parse(text) {
            Ok(ServerFrame::Snapshot(snapshot, hash, overlay)) => self.snapshot(*snapshot, hash, &overlay, Origin::Stream, now),
            Ok(ServerFrame::Superseding(snapshot, hash, overlay, position)) => self.superseding(*snapshot, hash, &overlay, position, now),
            Ok(ServerFrame::Delta(delta)) => self.delta(&delta, now),
            Ok(ServerFrame::Overlay(overlay)) => self.overlaid(&overlay, now),
            Ok(ServerFrame::Heartbeat(heartbeat)) => self.heartbeat(&heartbeat, now),
            Ok(ServerFrame::Goodbye(goodbye)) => self.goodbye(goodbye, now),
            // A kind of frame that only newer clients know cannot change what this one evaluates.
            Err(faults) if faults.all().iter().all(|fault| fault.path == "type") => {}
            Err(faults) => self.ask_resync(faults.to_string(), now),
        }
    }

    /// A message of any kind arrived.
    pub(crate) fn heard(&mut self, now: TimePoint) {
        self.last_heard = Some(now.wall);
        if let Link::Up { heard, .. } = &mut self.link {
            *heard = now.instant;
        }
        self.effects.push(Effect::Status);
    }

    /// The node is alive at this position.
    pub(crate) fn heartbeat(&mut self, heartbeat: &Heartbeat, now: TimePoint) {
        let server = Position {
            epoch: heartbeat.epoch,
            revision: heartbeat.revision,
        };
        let Some(own) = self.position() else { return };
        if server < own {
            // A node that is behind may have missed a kill, so its heartbeat renews no lease.
            if self.resync_state.seen_behind(server) {
                self.enter(State::Stale, Some(ConnectionError::Behind { own, server }), now);
            }
            return;
        }
        if heartbeat.fresh {
            self.fresh(now);
        }
        self.resync_state.not_behind();
        if server == own {
            let lifted = self.provisional.caught_up();
            self.reapply(&lifted, now);
            self.in_sync(now);
        } else if self.state == State::Ready && self.resync_state.seen_ahead(server, own) {
            self.ask_resync(format!("the server is at {server}, but its changes since {own} did not arrive"), now);
        }
    }

    /// The answer to a poll that was sent at `asked`: `text` is the snapshot frame, or `None` if nothing changed.
    pub(crate) fn polled(&mut self, text: Option<&str>, freshness: Freshness, asked: TimePoint, now: TimePoint) {
        match text {
            Some(text) => self.frame(text, now),
            None => self.heard(now),
        }
        if freshness == Freshness::Fresh && self.held.is_some() && self.resync_state.deadline().is_none() {
            self.fresh(asked);
            self.in_sync(now);
        }
    }

    /// Renews the leases, and writes that to the disk cache from time to time.
    pub(super) fn fresh(&mut self, now: TimePoint) {
        self.leases.renew(now);
        self.tell_since_contact(now);
        let due = self
            .persisted
            .is_none_or(|persisted| self.leases.persist_every().is_some_and(|period| now.since(persisted) >= period));
        if due {
            self.persisted = Some(now.instant);
            self.effects.push(Effect::Cache(Urgency::Ordinary));
        }
    }

    pub(super) fn tell_since_contact(&mut self, now: TimePoint) {
        let since_contact = self.leases.expired_after(now);
        if since_contact != self.since_contact {
            self.since_contact = since_contact;
            self.effects.push(Effect::SinceContact(since_contact));
        }
    }

    fn goodbye(&mut self, goodbye: Goodbye, now: TimePoint) {
        self.effects.push(Effect::Disconnect);
        let wait = match (goodbye.retry, goodbye.retry_after_ms) {
            (Some(false), _) => self.backoff.refused(),
            (_, Some(ms)) => self.backoff.at_least(Duration::from_millis(ms)),
            (_, None) => self.backoff.failed(),
        };
        self.fall_back(ConnectionError::Goodbye(goodbye.why), wait, now);
    }

    /// The server's state is loaded.
    pub(super) fn in_sync(&mut self, now: TimePoint) {
        self.tried = true;
        if self.state == State::Ready {
            return;
        }
        self.backoff.succeeded();
        self.resync_state.succeeded();
        self.enter(State::Ready, None, now);
        self.acknowledge(now);
    }

    pub(super) fn enter(&mut self, state: State, error: Option<ConnectionError>, now: TimePoint) {
        if state != self.state {
            self.state = state;
            self.since = now.wall;
        }
        self.error = error;
        self.effects.push(Effect::Status);
    }

    /// Acknowledges the current state at once.
    pub(super) fn acknowledge(&mut self, now: TimePoint) {
        let Some(held) = &self.held else { return };
        self.acks.sent(now);
        let Position { epoch, revision } = held.snapshot.position;
        let (hash, kills) = (held.hash, self.provisional.ids());
        self.send(ClientFrame::Ack(Ack { epoch, revision, hash, kills }));
    }

    /// Sends a frame if the stream is open. Without one nothing is lost: a new stream begins with a hello that contains everything.
    pub(super) fn send(&mut self, frame: ClientFrame) {
        if self.is_up() {
            self.effects.push(Effect::Send(frame));
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    /// The entity tag of the current state.
    pub(super) fn tag(&self) -> Option<String> {
        let held = self.held.as_ref()?;
        snapshot_tag(held.snapshot.position, &held.hash, &self.server_overlay).ok()
    }

    pub(super) fn hello(&self) -> Hello {
        let position = self.position();
        Hello {
            sdk: concat!("ripcord-rust/", env!("CARGO_PKG_VERSION")).to_owned(),
            instance: self.config.instance.clone(),
            instance_id: self.config.instance_id.clone(),
            epoch: position.map(|position| position.epoch),
            revision: position.map(|position| position.revision),
            hash: self.held.as_ref().map(|held| held.hash),
            acknowledges: self.config.acknowledges,
        }
    }

    /// The application closed the client or dropped it.
    pub(crate) fn close(&mut self, now: TimePoint) {
        self.send(ClientFrame::Goodbye(Goodbye {
            why: "the application closed the client".to_owned(),
            retry_after_ms: None,
            retry: None,
        }));
        self.link = Link::Closed;
        self.effects.push(Effect::Disconnect);
        self.effects.push(Effect::Cache(Urgency::Urgent));
        self.enter(State::Closed, None, now);
    }
}
