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
mod effect;
mod healing;
mod overlay;
mod rules;
mod timers;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use ripcord_proto::delta::Urgency;
use ripcord_proto::frame::{Ack, ClientFrame, Goodbye, Heartbeat, Hello, Overlay, ServerFrame, snapshot_tag};
use ripcord_proto::{EnvironmentKey, Position};

use super::lease::LeaseClock;
use super::moment::Moment;
use super::status::{Source, State, Trouble};
use super::transport::backoff::Backoff;
use apply::Via;
pub(crate) use apply::{Difference, Restored};
pub(crate) use effect::{Apply, Effect, Fetched, Freshness, Held, Lost, Standing};
use healing::Healing;
use overlay::KeptKills;
pub(crate) use rules::Rules;

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
