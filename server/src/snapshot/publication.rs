//! What is swapped in: the state, and how it differs from the one before.

use std::sync::Arc;
use std::time::Instant;

use ripcord_proto::delta::Delta;
use ripcord_proto::frame::Overlay;
use ripcord_proto::snapshot::ContentHash;
use ripcord_proto::{Position, Snapshot};
use ripcord_sdk::engine::Compiled;

/// An environment at one revision, with everything that a reader needs. Immutable and cheap to share.
#[derive(Debug)]
pub struct Served {
    pub snapshot: Snapshot,
    /// The content hash of the snapshot.
    pub hash: ContentHash,
    /// The provisional kills on top of it.
    pub overlay: Arc<Overlay>,
    /// Snapshot and overlay, compiled for evaluation.
    pub compiled: Compiled,
    /// The position of the newest urgent revision; clients behind it are admitted first.
    pub urgent: Position,
}

/// The kind of change that a swap makes.
#[derive(Debug, Clone)]
pub enum PublishedChange {
    /// A revision of the same epoch.
    Delta(Arc<Delta>),
    /// Only the overlay of provisional kills.
    Overlay,
    /// A new epoch, or the first state; readers take a snapshot.
    Replaced,
}

/// One swap.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The state from now on.
    pub served: Arc<Served>,
    /// The difference from the state before.
    pub change: PublishedChange,
    /// When it was swapped in, for propagation times.
    pub at: Instant,
}
