//! States that come: what fits is put in force, in order; what does not is never half-applied.

use std::sync::Arc;

use ripcord_proto::delta::{ApplyError, Delta, Urgency};
use ripcord_proto::frame::{Overlay, ServerFrame};
use ripcord_proto::references::TouchedKeys;
use ripcord_proto::snapshot::ContentHash;
use ripcord_proto::{EnvironmentKey, Kill, Position, Snapshot};

use super::overlay::KeptKills;
use super::{Apply, Effect, Fetched, Held, Protocol, State, Trouble};
use crate::client::changes::{Changes, Step};
use crate::client::moment::Moment;
use crate::client::status::Source;

/// By which way a snapshot came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    /// On the stream, in order: the server has nothing newer for this client.
    Stream,
    /// Asked for beside the stream.
    Fetch,
}

/// How a state differs from the one before.
#[derive(Debug)]
pub(crate) struct Difference {
    /// What the engine compiles.
    pub(crate) step: Step,
    /// The provisional kills that lie over it now; `None` = the same as before.
    pub(crate) overlay: Option<Vec<Kill>>,
    /// What listeners hear.
    pub(crate) changes: Changes,
}

impl Difference {
    /// Everything is new, and these provisional kills lie over it.
    pub(super) fn anew(overlay: Vec<Kill>) -> Self {
        Self {
            step: Step::Anew,
            overlay: Some(overlay),
            changes: Changes::Everything,
        }
    }

    fn everything(kept: &KeptKills) -> Self {
        Self::anew(kept.in_force())
    }

    fn nothing() -> Self {
        Self {
            step: Step::From(TouchedKeys::default()),
            overlay: None,
            changes: Changes::none(),
        }
    }

    /// What `delta` changes, and the provisional kills that came or went with it.
    fn of_delta(before: &Snapshot, delta: &Delta, kills: &[Kill], kept: &KeptKills) -> Self {
        let step = Step::of_delta(delta);
        // What is compiled anew has no provisional kills on it.
        let overlay = matches!(step, Step::Anew).then(|| kept.in_force());
        let changes = Changes::of_delta(before, delta);
        Self { step, overlay, changes }.with_kills(kills, kept)
    }

    fn with_kills(mut self, kills: &[Kill], kept: &KeptKills) -> Self {
        if !kills.is_empty() {
            self.overlay = Some(kept.in_force());
            self.changes.merge(Changes::of_kills(kills));
        }
        self
    }
}

/// What an earlier process wrote down.
#[derive(Debug)]
pub(crate) struct Restored {
    /// The state that was in force.
    pub(crate) held: Held,
    /// The provisional kills on it.
    pub(crate) overlay: Overlay,
    /// When a fresh heartbeat had come last.
    pub(crate) last_fresh: Option<jiff::Timestamp>,
}

impl Protocol {
    /// Starts from the disk cache: its state is in force until the server's is.
    pub(crate) fn restore(&mut self, restored: Restored, now: Moment) {
        self.leases.resume(restored.last_fresh, now);
        self.kept.learn(&restored.overlay, Some(&restored.held.snapshot));
        let everything = Difference::everything(&self.kept);
        self.put(restored.held, everything, now);
        self.source = Source::Cache;
    }

    /// Takes only the provisional kills from the disk cache: a client that does not start from its state still may not forget
    /// them.
    pub(crate) fn restore_kills(&mut self, overlay: &Overlay) {
        self.kept.learn(overlay, None);
    }

    /// A snapshot came.
    pub(super) fn snapshot(&mut self, snapshot: Snapshot, hash: ContentHash, overlay: &Overlay, via: Via, now: Moment) {
        if let Some(own) = self.environment().filter(|own| *own != snapshot.environment) {
            let theirs = snapshot.environment;
            self.enter(self.without_server(), Some(Trouble::OtherEnvironment { own, theirs }), now);
            return;
        }
        let (own, theirs) = (self.position(), snapshot.position);
        if let Some(own) = own.filter(|own| theirs < *own) {
            self.behind(own, theirs, via, now);
            return;
        }
        let real = snapshot.content_hash();
        if real != hash {
            self.disagree(format!("the snapshot at {theirs} has the content hash {real}, it came with {hash}"), now);
            return;
        }
        self.theirs.clone_from(overlay);
        let mut kills = self.kept.learn(overlay, Some(&snapshot));
        kills.extend(self.kept.caught_up());
        let same = self.held.as_ref().is_some_and(|held| held.hash == hash && held.snapshot.position == theirs);
        if same {
            self.reapply(&kills, now);
        } else {
            let difference = match &self.held {
                Some(held) => {
                    let delta = Delta::between(&held.snapshot, &snapshot, hash, Urgency::Ordinary);
                    Difference::of_delta(&held.snapshot, &delta, &kills, &self.kept)
                }
                None => Difference::everything(&self.kept),
            };
            let snapshot = Arc::new(snapshot);
            self.put(Held { snapshot, hash }, difference, now);
            self.effects.push(Effect::Cache(Urgency::Ordinary));
        }
        match via {
            Via::Stream => self.applied(Urgency::Urgent, now),
            Via::Fetch => self.fetched_state(own, theirs, now),
        }
    }

    /// A state that came beside the stream. Twice in a row without the stream showing it: the stream is dead in silence.
    fn fetched_state(&mut self, own: Option<Position>, theirs: Position, now: Moment) {
        if self.state == State::Resyncing {
            // The answer to a resync where the stream cannot carry one.
            self.in_sync(now);
        } else {
            self.acknowledge(now);
        }
        let news = own.is_none_or(|own| own < theirs);
        if !news || !self.is_up() {
            return;
        }
        if self.fetched_ahead.replace(theirs).is_some() {
            self.fetched_ahead = None;
            self.effects.push(Effect::Disconnect);
            let wait = self.backoff.failed();
            let why = "the stream was silent about changes that a comparison found".to_owned();
            self.fall_back(Trouble::Unreachable(why), wait, now);
        }
    }

    fn behind(&mut self, own: Position, theirs: Position, via: Via, now: Moment) {
        // Beside the stream another node may have answered; what counts is the one that streams.
        if via == Via::Stream {
            self.enter(State::Stale, Some(Trouble::Behind { own, theirs }), now);
        }
    }

    /// A delta came.
    pub(super) fn delta(&mut self, delta: &Delta, now: Moment) {
        let Some(held) = &self.held else {
            self.ask_resync(format!("a delta to {} came before any snapshot", delta.to), now);
            return;
        };
        let own = held.snapshot.position;
        if self.fetched_ahead.is_some_and(|ahead| ahead <= delta.to) {
            self.fetched_ahead = None;
        }
        if delta.to.epoch < own.epoch {
            self.enter(State::Stale, Some(Trouble::Behind { own, theirs: delta.to }), now);
            return;
        }
        if delta.to == own && delta.hash == held.hash {
            // It came by another way already.
            self.in_sync(now);
            return;
        }
        match held.snapshot.apply(delta) {
            Ok(next) => {
                let committed = self.kept.settle(&next);
                let difference = Difference::of_delta(&held.snapshot, delta, &committed, &self.kept);
                let held = Held {
                    snapshot: Arc::new(next),
                    hash: delta.hash,
                };
                self.put(held, difference, now);
                self.effects.push(Effect::Cache(delta.urgency));
                self.applied(delta.urgency, now);
            }
            Err(error @ ApplyError::Gap { .. }) if delta.to > own => self.ask_resync(error.to_string(), now),
            // It leads to where this client has been already.
            Err(ApplyError::Gap { .. }) => {}
            Err(error @ ApplyError::Hash { .. }) => self.disagree(error.to_string(), now),
        }
    }

    fn applied(&mut self, urgency: Urgency, now: Moment) {
        let was_ready = self.state == State::Ready;
        self.in_sync(now);
        if was_ready {
            self.acknowledge_soon(urgency, now);
        }
    }

    /// An overlay came. A provisional kill is as urgent as a committed one.
    pub(super) fn overlaid(&mut self, overlay: &Overlay, now: Moment) {
        self.theirs.clone_from(overlay);
        let committed = self.held.as_ref().map(|held| Arc::clone(&held.snapshot));
        let touched = self.kept.learn(overlay, committed.as_deref());
        self.reapply(&touched, now);
    }

    /// Provisional kills came or went on the state in force.
    pub(super) fn reapply(&mut self, touched: &[Kill], now: Moment) {
        if touched.is_empty() {
            return;
        }
        if let Some(held) = self.held.clone() {
            let difference = Difference::nothing().with_kills(touched, &self.kept);
            self.put(held, difference, now);
            self.effects.push(Effect::Cache(Urgency::Urgent));
            self.acknowledge(now);
        }
    }

    /// The one place where a state is put in force.
    fn put(&mut self, held: Held, difference: Difference, now: Moment) {
        match &difference.step {
            Step::Anew => self.leases.learn_all(&held.snapshot),
            Step::From(touched) => self.leases.learn(&held.snapshot, &touched.flags),
        }
        // Before the swap: a lease that came with this state and has run out already must never be served.
        self.tell_unheard(now);
        self.effects.push(Effect::Apply(Apply {
            snapshot: Arc::clone(&held.snapshot),
            difference,
        }));
        self.held = Some(held);
        self.source = Source::Server;
        self.effects.push(Effect::Status);
    }

    /// The answer to [`Effect::Fetch`].
    pub(crate) fn fetched(&mut self, fetched: Fetched, now: Moment) {
        let Fetched::State(text) = fetched else { return };
        match ServerFrame::parse(&text) {
            Ok(ServerFrame::Snapshot(snapshot, hash, overlay)) => self.snapshot(*snapshot, hash, &overlay, Via::Fetch, now),
            Ok(_) | Err(_) => self.ask_resync("the answer to a comparison was no snapshot".to_owned(), now),
        }
    }

    /// The environment that this client is for: the one it was told, else the one it has.
    fn environment(&self) -> Option<EnvironmentKey> {
        let held = self.held.as_ref().map(|held| &held.snapshot.environment);
        self.rules.environment.as_ref().or(held).cloned()
    }

    fn without_server(&self) -> State {
        if self.held.is_some() { State::Stale } else { State::Connecting }
    }
}
