//! A test fixture: an environment that is published by hand.

use std::sync::Arc;
use std::time::Instant;

use ripcord_proto::actor::Actor;
use ripcord_proto::delta::{Delta, Urgency};
use ripcord_proto::frame::Overlay;
use ripcord_proto::kill::{Kill, KillScope};
use ripcord_proto::table::{Entity as _, Entry};
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, KillId, Position, Snapshot};
use ripcord_sdk::engine::Compiled;

use super::board::Board;
use super::publication::{Publication, PublishedChange, Served};

/// An environment of which a test is the only writer.
pub(crate) struct Stage {
    pub(crate) board: Arc<Board>,
    pub(crate) served: Arc<Served>,
}

pub(crate) fn flag(on: bool) -> Flag {
    let default = if on { "on" } else { "off" };
    let json = format!(r#"{{"variants": {{"on": true, "off": false}}, "default": "{default}", "safe": "off"}}"#);
    Flag::parse(&json).unwrap()
}

pub(crate) fn kill(number: u64, flag: &str) -> Kill {
    Kill {
        id: KillId::from_parts(number, 0),
        scope: KillScope::Flag(FlagKey::new(flag).unwrap()),
        reason: None,
        actor: Actor::server("test"),
        at: jiff::Timestamp::UNIX_EPOCH,
        flags: [FlagKey::new(flag).unwrap()].into(),
    }
}

impl Stage {
    /// `production` with this many flags at revision 1:1.
    pub(crate) fn new(flags: usize) -> Self {
        let mut snapshot = Snapshot::empty(EnvironmentKey::new("production").unwrap());
        snapshot.position = Position::new(1, 1);
        for number in 0..flags {
            let entry = Entry::new(FlagKey::new(&format!("flag-{number}")).unwrap(), flag(false), snapshot.position);
            snapshot.flags.insert(Arc::new(entry.unwrap()));
        }
        let stage = Self {
            board: Arc::default(),
            served: Self::serve(snapshot, Overlay::default(), Position::START),
        };
        stage.publish(PublishedChange::Replaced);
        stage
    }

    fn serve(snapshot: Snapshot, overlay: Overlay, urgent: Position) -> Arc<Served> {
        let kills: Vec<_> = overlay.kills.values().cloned().collect();
        Arc::new(Served {
            hash: snapshot.content_hash(),
            compiled: Compiled::new(&snapshot).with_overlay(&kills),
            snapshot,
            overlay: Arc::new(overlay),
            urgent,
        })
    }

    fn publish(&self, change: PublishedChange) {
        self.board.publish(&Publication {
            served: Arc::clone(&self.served),
            change,
            at: Instant::now(),
        });
    }

    pub(crate) fn environment(&self) -> EnvironmentKey {
        self.served.snapshot.environment.clone()
    }

    pub(crate) fn position(&self) -> Position {
        self.served.snapshot.position
    }

    /// Puts `flag-0` and moves one revision forward.
    pub(crate) fn put(&mut self, on: bool) -> Arc<Delta> {
        self.step(on, Urgency::Ordinary)
    }

    /// The same, marked as urgent.
    pub(crate) fn pull(&mut self, on: bool) -> Arc<Delta> {
        self.step(on, Urgency::Urgent)
    }

    fn step(&mut self, on: bool, urgency: Urgency) -> Arc<Delta> {
        let before = &self.served.snapshot;
        let mut next = before.clone();
        next.position.revision = next.position.revision.next();
        let entry = Entry::new(FlagKey::new("flag-0").unwrap(), flag(on), next.position).unwrap();
        next.flags.insert(Arc::new(entry));
        let delta = Arc::new(Delta::between(before, &next, next.content_hash(), urgency));
        let urgent = if urgency == Urgency::Urgent { next.position } else { self.served.urgent };
        self.served = Self::serve(next, (*self.served.overlay).clone(), urgent);
        self.publish(PublishedChange::Delta(Arc::clone(&delta)));
        delta
    }

    /// Lays an overlay over the revision as it is.
    pub(crate) fn overlay(&mut self, overlay: Overlay) {
        self.served = Self::serve(self.served.snapshot.clone(), overlay, self.served.urgent);
        self.publish(PublishedChange::Overlay);
    }

    /// Continues in the next epoch.
    pub(crate) fn next_epoch(&mut self) {
        let mut snapshot = self.served.snapshot.clone();
        snapshot.position = Position::new(snapshot.position.epoch.0 + 1, 1);
        self.served = Self::serve(snapshot, (*self.served.overlay).clone(), self.served.urgent);
        self.publish(PublishedChange::Replaced);
    }
}
