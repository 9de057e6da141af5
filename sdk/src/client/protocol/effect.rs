//! What goes into the protocol and what comes out: plain data, so that the worker and the tests share it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::delta::Urgency;
use ripcord_proto::frame::{ClientFrame, Hello, Overlay};
use ripcord_proto::snapshot::ContentHash;
use ripcord_proto::{KillId, Position, Snapshot};

use super::state_diff::StateDiff;
use crate::client::status::{ConnectionError, Source, State};

/// The current state.
#[derive(Debug, Clone)]
pub(crate) struct HeldState {
    /// What is committed.
    pub(crate) snapshot: Arc<Snapshot>,
    /// Its content hash.
    pub(crate) hash: ContentHash,
}

/// What an earlier process left in the disk cache.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) state: HeldState,
    /// The provisional kills.
    pub(crate) overlay: Overlay,
    /// When the last fresh heartbeat had arrived.
    pub(crate) last_fresh: Option<Timestamp>,
}

/// What the worker must do, in this order.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Open the stream with this hello.
    Connect(Box<Hello>),
    /// Close the stream.
    Disconnect,
    /// Send a frame on the stream.
    Send(ClientFrame),
    /// Fetch the whole state beside the stream, unless it still has this entity tag.
    Fetch(Option<String>),
    /// Compile this state and make it current.
    Apply(NewState),
    /// Set the seconds since the last contact for evaluations; 0 means that no lease has expired.
    SinceContact(u32),
    /// Write the disk cache.
    Cache(Urgency),
    /// Publish [`Protocol::status`](super::Protocol::status).
    Status,
}

/// A state that is to become current.
#[derive(Debug)]
pub(crate) struct NewState {
    /// What is committed.
    pub(crate) snapshot: Arc<Snapshot>,
    /// How it differs from the state before.
    pub(crate) diff: StateDiff,
}

impl NewState {
    /// A state that did not come from a server.
    pub(crate) fn local(snapshot: Snapshot) -> Self {
        Self {
            snapshot: Arc::new(snapshot),
            diff: StateDiff::everything(Vec::new()),
        }
    }
}

/// How a snapshot arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// On the stream, in order: the server has nothing newer for this client.
    Stream,
    /// Fetched beside the stream.
    Fetch,
}

/// Why a stream ended or could not be opened.
#[derive(Debug, Clone)]
pub(crate) enum StreamError {
    /// It broke or could not be opened.
    Broken(String),
    /// The server asked the client to come back after this time.
    Later(String, Duration),
    /// The server refused this client.
    Refused { status: u16, detail: String },
}

/// Whether the node that answered can rule out that it missed a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It can.
    Fresh,
    /// It cannot: it does not reach its store.
    Stale,
}

/// The answer to [`Effect::Fetch`].
#[derive(Debug)]
pub(crate) enum FetchResult {
    /// The state still has the entity tag.
    Unchanged,
    /// The snapshot frame.
    State(String),
    /// No answer.
    Failed,
}

/// The protocol's part of the client's status.
#[derive(Debug, Clone)]
pub(crate) struct ProtocolStatus {
    pub(crate) state: State,
    pub(crate) since: Timestamp,
    pub(crate) position: Option<Position>,
    pub(crate) source: Source,
    pub(crate) last_heard: Option<Timestamp>,
    pub(crate) last_fresh: Option<Timestamp>,
    pub(crate) provisional_kills: Vec<KillId>,
    pub(crate) error: Option<ConnectionError>,
    /// Whether the first attempt to reach the server has ended, successfully or not.
    pub(crate) tried: bool,
}
