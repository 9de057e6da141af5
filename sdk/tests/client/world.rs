//! What a server has: an environment that changes, and the frames that say so.

use std::sync::Arc;

use ripcord_proto::actor::Actor;
use ripcord_proto::delta::{Delta, Urgency};
use ripcord_proto::frame::{Heartbeat, Overlay, encode_delta, encode_heartbeat, encode_overlay, encode_snapshot, encode_superseding};
use ripcord_proto::settings::Bucketing;
use ripcord_proto::snapshot::ContentHash;
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Kill, KillId, KillScope, Position, Snapshot};
use serde_json::json;

/// An environment as a server holds it.
#[derive(Debug, Clone)]
pub struct World {
    pub snapshot: Snapshot,
    pub overlay: Overlay,
}

impl World {
    /// With the boolean flag `checkout` off, at revision 1.
    pub fn new() -> Self {
        let mut world = Self {
            snapshot: Snapshot::empty(EnvironmentKey::new("production").unwrap()),
            overlay: Overlay::default(),
        };
        world.put("checkout", false);
        world
    }

    pub fn position(&self) -> Position {
        self.snapshot.position
    }

    pub fn hash(&self) -> ContentHash {
        self.snapshot.content_hash()
    }

    fn change(&mut self, urgency: Urgency, change: impl FnOnce(&mut Snapshot)) -> Delta {
        let before = self.snapshot.clone();
        self.snapshot.position.revision = self.snapshot.position.revision.next();
        change(&mut self.snapshot);
        Delta::between(&before, &self.snapshot, self.snapshot.content_hash(), urgency)
    }

    /// Puts a boolean flag that serves `on`; its safe variant is off.
    pub fn put(&mut self, key: &str, on: bool) -> Delta {
        self.put_leased(key, on, None)
    }

    /// The same with a lease.
    pub fn put_leased(&mut self, key: &str, on: bool, lease_seconds: Option<u32>) -> Delta {
        let mut flag = json!({"enabled": true, "variants": {"on": true, "off": false}, "default": if on { "on" } else { "off" }, "safe": "off"});
        if let Some(seconds) = lease_seconds {
            flag["lease"] = json!({"seconds": seconds});
        }
        self.change(Urgency::Ordinary, |snapshot| {
            let entry = Entry::<Flag>::new(FlagKey::new(key).unwrap(), Flag::from_value(&flag).unwrap(), snapshot.position).unwrap();
            snapshot.flags.insert(Arc::new(entry));
        })
    }

    /// Takes a flag out.
    pub fn remove(&mut self, key: &str) -> Delta {
        self.change(Urgency::Ordinary, |snapshot| {
            snapshot.flags.remove(key);
        })
    }

    /// Changes how users are bucketed.
    pub fn rebucket(&mut self, bucketing: Bucketing) -> Delta {
        self.change(Urgency::Ordinary, |snapshot| snapshot.settings.bucketing = bucketing)
    }

    /// Commits a kill.
    pub fn commit(&mut self, kill: &Kill) -> Delta {
        self.change(Urgency::Urgent, |snapshot| {
            let entry = Entry::new(kill.id.clone(), kill.clone(), snapshot.position).unwrap();
            snapshot.kills.insert(Arc::new(entry));
        })
    }

    /// Lifts a committed kill.
    pub fn restore(&mut self, kill: &KillId) -> Delta {
        self.change(Urgency::Urgent, |snapshot| {
            snapshot.kills.remove(kill.as_str());
        })
    }

    /// A new epoch with the same content.
    pub fn next_epoch(&mut self) {
        self.snapshot.position.epoch = self.snapshot.position.epoch.next();
    }

    pub fn frame(&self) -> String {
        encode_snapshot(&self.snapshot, &self.hash(), &self.overlay).unwrap()
    }

    /// A snapshot for a client that is ahead of every node.
    pub fn superseding(&self, position: Position) -> String {
        encode_superseding(&self.snapshot, &self.hash(), &self.overlay, position).unwrap()
    }

    pub fn heartbeat(&self, fresh: bool) -> String {
        let Position { epoch, revision } = self.position();
        let time = jiff::Timestamp::UNIX_EPOCH;
        encode_heartbeat(&Heartbeat { epoch, revision, time, fresh }).unwrap()
    }

    pub fn overlay_frame(&self) -> String {
        encode_overlay(&self.overlay).unwrap()
    }
}

pub fn frame_of(delta: &Delta) -> String {
    encode_delta(delta).unwrap()
}

/// A kill of one flag.
pub fn kill(number: u64, flag: &str) -> Kill {
    Kill {
        id: KillId::from_parts(number, 0),
        scope: KillScope::Flag(FlagKey::new(flag).unwrap()),
        reason: None,
        actor: Actor::server("a"),
        at: jiff::Timestamp::UNIX_EPOCH,
        flags: std::iter::empty().collect(),
    }
}
