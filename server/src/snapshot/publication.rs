//! What was swapped in, for everyone who must hear of it.

use std::sync::Arc;
use std::time::Instant;

use ripcord_proto::delta::Delta;
use ripcord_proto::frame::Overlay;
use ripcord_proto::snapshot::ContentHash;
use ripcord_proto::{Position, Snapshot};
use ripcord_sdk::engine::Compiled;

/// An environment as this node serves it: everything that a reader needs, of one revision. Cheap to share, never changed.
#[derive(Debug)]
pub struct Served {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Its content hash.
    pub hash: ContentHash,
    /// The provisional kills that lie over it.
    pub overlay: Arc<Overlay>,
    /// Snapshot and overlay, compiled for evaluation.
    pub compiled: Compiled,
    /// The position of the newest urgent revision: clients behind it are admitted first.
    pub urgent: Position,
}

/// What changed with a swap.
#[derive(Debug, Clone)]
pub enum PublishedChange {
    /// A revision of the same epoch.
    Delta(Arc<Delta>),
    /// Only the overlay of provisional kills.
    Overlay,
    /// A new epoch, or the first state: readers take a snapshot.
    Replaced,
}

/// One swap.
#[derive(Debug, Clone)]
pub struct Publication {
    /// What is served from now on.
    pub served: Arc<Served>,
    /// How it differs from what was served before.
    pub change: PublishedChange,
    /// When it was swapped in, for propagation times.
    pub at: Instant,
}
