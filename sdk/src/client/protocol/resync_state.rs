//! What has not fitted so far, and when to ask for a snapshot next.

use std::time::Instant;

use ripcord_proto::Position;

/// What the client waits for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Awaited {
    /// The answer to a resync, until this time.
    Snapshot(Instant),
    /// The time of the next attempt.
    Retry(Instant),
}

/// The progress of a resync.
#[derive(Debug, Default)]
pub(super) struct ResyncState {
    /// States in a row that did not match their own hashes.
    pub(super) mismatches: u32,
    pub(super) awaited: Option<Awaited>,
    ahead: Option<(Position, Position)>,
    behind: Option<Position>,
}

impl ResyncState {
    /// A state that fits is loaded.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The stream is gone. What was requested on it will not arrive; mismatches still count.
    pub(super) fn disconnected(&mut self) {
        self.awaited = None;
        self.ahead = None;
    }

    /// A heartbeat names `server` while this client is at `own`. True the second time in a row: the first heartbeat may have overtaken a
    /// delta.
    pub(super) fn seen_ahead(&mut self, server: Position, own: Position) -> bool {
        let before = self.ahead.replace((server, own));
        before.is_some_and(|(_, at)| at == own)
    }

    /// A heartbeat names an older position. True from the second time on: the first may have been sent before the last change.
    pub(super) fn seen_behind(&mut self, server: Position) -> bool {
        self.behind.replace(server).is_some()
    }

    /// The node is at the position of this client, or ahead.
    pub(super) fn not_behind(&mut self) {
        self.behind = None;
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.awaited.map(|(Awaited::Snapshot(at) | Awaited::Retry(at))| at)
    }
}
