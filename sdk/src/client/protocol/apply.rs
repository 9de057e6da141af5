//! How states are applied: what fits becomes current, in order; what does not fit is never half-applied.

use std::sync::Arc;

use ripcord_proto::delta::{ApplyError, Delta, Urgency};
use ripcord_proto::frame::{Overlay, ServerFrame};
use ripcord_proto::snapshot::ContentHash;
use ripcord_proto::{EnvironmentKey, Kill, Position, Snapshot};

use super::effect::{Effect, FetchResult, HeldState, NewState, Origin, Restored};
use super::machine::Protocol;
use super::state_diff::StateDiff;
use crate::client::changes::Recompile;
use crate::client::status::{ConnectionError, Source, State};
use crate::client::time_point::TimePoint;

impl Protocol {
    /// Starts with the state of the disk cache, until the server's state is loaded.
    pub(crate) fn restore(&mut self, restored: Restored, now: TimePoint) {
        self.leases.resume(restored.last_fresh, now);
        self.provisional.learn(&restored.overlay, Some(&restored.state.snapshot));
        let everything = StateDiff::everything(self.provisional.in_force());
        self.put(restored.state, everything, now);
        self.source = Source::Cache;
    }

    /// Takes only the provisional kills from the disk cache. A client that does not start with the cached state must keep them, too.
    pub(crate) fn restore_kills(&mut self, overlay: &Overlay) {
        self.provisional.learn(overlay, None);
    }

    /// A snapshot arrived.
    pub(super) fn snapshot(&mut self, snapshot: Snapshot, hash: ContentHash, overlay: &Overlay, origin: Origin, now: TimePoint) {
        if let Some(own) = self.environment().filter(|own| *own != snapshot.environment) {
            let error = ConnectionError::OtherEnvironment {
                expected: own,
                received: snapshot.environment,
            };
            self.enter(self.state_without_server(), Some(error), now);
            return;
        }
        let server = snapshot.position;
        if let Some(own) = self.position().filter(|own| server < *own) {
            self.behind(own, server, origin, now);
            return;
        }
        self.take(snapshot, hash, overlay, origin, now);
    }

    /// A snapshot arrived for a client at `position`, which no node knows. It is taken although it is older, unless this client has moved
    /// on since.
    pub(super) fn superseding(&mut self, snapshot: Snapshot, hash: ContentHash, overlay: &Overlay, position: Position, now: TimePoint) {
        let own_environment = self.environment().is_none_or(|own| own == snapshot.environment);
        if own_environment && self.position() == Some(position) {
            self.take(snapshot, hash, overlay, Origin::Stream, now);
        } else {
            self.snapshot(snapshot, hash, overlay, Origin::Stream, now);
        }
    }

    fn take(&mut self, snapshot: Snapshot, hash: ContentHash, overlay: &Overlay, origin: Origin, now: TimePoint) {
        let (own, server) = (self.position(), snapshot.position);
        if !snapshot.has_hash(&hash) {
            let actual = snapshot.content_hash();
            self.mismatch(format!("the snapshot at {server} has the content hash {actual}, but came with {hash}"), now);
            return;
        }
        self.server_overlay.clone_from(overlay);
        let mut kills = self.provisional.learn(overlay, Some(&snapshot));
        kills.extend(self.provisional.caught_up());
        let same = self.held.as_ref().is_some_and(|held| held.hash == hash && held.snapshot.position == server);
        if same {
            self.reapply(&kills, now);
        } else {
            let diff = match &self.held {
                Some(held) => {
                    let delta = Delta::between(&held.snapshot, &snapshot, hash, Urgency::Ordinary);
                    StateDiff::of_delta(&held.snapshot, &delta, &kills, &self.provisional)
                }
                None => StateDiff::everything(self.provisional.in_force()),
            };
            let snapshot = Arc::new(snapshot);
            self.put(HeldState { snapshot, hash }, diff, now);
            self.effects.push(Effect::Cache(Urgency::Ordinary));
        }
        match origin {
            Origin::Stream => self.applied(Urgency::Urgent, now),
            Origin::Fetch => self.fetched_state(own, server, now),
        }
    }

    /// A state was fetched beside the stream. If that brings news twice in a row, the stream is silently dead.
    fn fetched_state(&mut self, own: Option<Position>, server: Position, now: TimePoint) {
        if self.state == State::Resyncing {
            // The answer to a resync on a stream that cannot carry one.
            self.in_sync(now);
        } else {
            self.acknowledge(now);
        }
        let news = own.is_none_or(|own| own < server);
        if !news || !self.is_up() {
            return;
        }
        if self.fetched_ahead.replace(server).is_some() {
            self.fetched_ahead = None;
            self.effects.push(Effect::Disconnect);
            let wait = self.backoff.failed();
            let why = "the stream did not deliver changes that a comparison found".to_owned();
            self.fall_back(ConnectionError::Unreachable(why), wait, now);
        }
    }

    fn behind(&mut self, own: Position, server: Position, origin: Origin, now: TimePoint) {
        // A fetch may have been answered by another node. Only the node that streams counts.
        if origin == Origin::Stream {
            self.enter(State::Stale, Some(ConnectionError::Behind { own, server }), now);
        }
    }

    /// A delta arrived.
    pub(super) fn delta(&mut self, delta: &Delta, now: TimePoint) {
        let Some(held) = &self.held else {
            self.ask_resync(format!("a delta to {} arrived before any snapshot", delta.to), now);
            return;
        };
        let own = held.snapshot.position;
        if self.fetched_ahead.is_some_and(|ahead| ahead <= delta.to) {
            self.fetched_ahead = None;
        }
        if delta.to.epoch < own.epoch {
            self.enter(State::Stale, Some(ConnectionError::Behind { own, server: delta.to }), now);
            return;
        }
        if delta.to == own && delta.hash == held.hash {
            // It was fetched already.
            self.in_sync(now);
            return;
        }
        match held.snapshot.apply(delta) {
            Ok(next) => {
                let committed = self.provisional.settle(&next);
                let diff = StateDiff::of_delta(&held.snapshot, delta, &committed, &self.provisional);
                let held = HeldState {
                    snapshot: Arc::new(next),
                    hash: delta.hash,
                };
                self.put(held, diff, now);
                self.effects.push(Effect::Cache(delta.urgency));
                self.applied(delta.urgency, now);
            }
            Err(error @ ApplyError::Gap { .. }) if delta.to > own => self.ask_resync(error.to_string(), now),
            // It leads to an older revision.
            Err(ApplyError::Gap { .. }) => {}
            Err(error @ ApplyError::Hash { .. }) => self.mismatch(error.to_string(), now),
        }
    }

    fn applied(&mut self, urgency: Urgency, now: TimePoint) {
        let was_ready = self.state == State::Ready;
        self.in_sync(now);
        if was_ready {
            self.acknowledge_soon(urgency, now);
        }
    }

    /// An overlay arrived. A provisional kill is as urgent as a committed one.
    pub(super) fn overlaid(&mut self, overlay: &Overlay, now: TimePoint) {
        self.server_overlay.clone_from(overlay);
        let committed = self.held.as_ref().map(|held| Arc::clone(&held.snapshot));
        let touched = self.provisional.learn(overlay, committed.as_deref());
        self.reapply(&touched, now);
    }

    /// Provisional kills came or went over the current state.
    pub(super) fn reapply(&mut self, touched: &[Kill], now: TimePoint) {
        if touched.is_empty() {
            return;
        }
        if let Some(held) = self.held.clone() {
            let diff = StateDiff::nothing().with_kills(touched, &self.provisional);
            self.put(held, diff, now);
            self.effects.push(Effect::Cache(Urgency::Urgent));
            self.acknowledge(now);
        }
    }

    /// The one place where a state becomes current.
    fn put(&mut self, held: HeldState, diff: StateDiff, now: TimePoint) {
        match &diff.recompile {
            Recompile::Everything => self.leases.set_all(&held.snapshot),
            Recompile::Only(touched) => self.leases.set(&held.snapshot, &touched.flags),
        }
        // Before the swap: a lease that came with this state and has already expired must not be served for a moment.
        self.tell_since_contact(now);
        self.effects.push(Effect::Apply(NewState {
            snapshot: Arc::clone(&held.snapshot),
            diff,
        }));
        self.held = Some(held);
        self.source = Source::Server;
        self.effects.push(Effect::Status);
    }

    /// The answer to [`Effect::Fetch`].
    pub(crate) fn fetched(&mut self, fetched: FetchResult, now: TimePoint) {
        let FetchResult::State(text) = fetched else { return };
        match ServerFrame::parse(&text) {
            Ok(ServerFrame::Snapshot(snapshot, hash, overlay)) => self.snapshot(*snapshot, hash, &overlay, Origin::Fetch, now),
            Ok(_) | Err(_) => self.ask_resync("the answer to a comparison was not a snapshot".to_owned(), now),
        }
    }

    /// The environment of this client: the configured one, else that of its state.
    fn environment(&self) -> Option<EnvironmentKey> {
        let held = self.held.as_ref().map(|held| &held.snapshot.environment);
        self.config.environment.as_ref().or(held).cloned()
    }

    fn state_without_server(&self) -> State {
        if self.held.is_some() { State::Stale } else { State::Connecting }
    }
}
