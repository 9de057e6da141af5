//! What the protocol says and is told: plain data, so that whoever does the work and whoever tests it share it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::delta::Urgency;
use ripcord_proto::frame::{ClientFrame, Hello};
use ripcord_proto::snapshot::ContentHash;
use ripcord_proto::{KillId, Position, Snapshot};

use super::Difference;
use crate::client::status::{Source, State, Trouble};

/// What is in force.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// The committed state.
    pub(crate) snapshot: Arc<Snapshot>,
    /// Its content hash.
    pub(crate) hash: ContentHash,
}

/// What is to be done, in this order.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Open the stream, saying this.
    Connect(Box<Hello>),
    /// Let the stream go.
    Disconnect,
    /// Send a frame on the stream.
    Send(ClientFrame),
    /// Ask for the whole state beside the stream, unless it still has this entity tag.
    Fetch(Option<String>),
    /// Compile this and swap it in.
    Apply(Apply),
    /// Tell evaluations how many seconds the server has been unheard; 0 = no lease has run out.
    Unheard(u32),
    /// Write the disk cache.
    Cache(Urgency),
    /// Publish [`Protocol::standing`](super::Protocol::standing).
    Status,
}

/// A state to put in force.
#[derive(Debug)]
pub(crate) struct Apply {
    /// The committed state.
    pub(crate) snapshot: Arc<Snapshot>,
    /// How it differs from the state before.
    pub(crate) difference: Difference,
}

impl Apply {
    /// A state that no server sent.
    pub(crate) fn by_hand(snapshot: Snapshot) -> Self {
        Self {
            snapshot: Arc::new(snapshot),
            difference: Difference::anew(Vec::new()),
        }
    }
}

/// Why a stream is no more, or never was.
#[derive(Debug, Clone)]
pub(crate) enum Lost {
    /// It broke, or could not be opened.
    Broken(String),
    /// The server asked to come later.
    Later(String, Duration),
    /// The server refused this client.
    Refused { status: u16, detail: String },
}

/// Whether the node that answered vouches that no kill has passed it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It does.
    Fresh,
    /// It does not: it cannot reach its store.
    Stale,
}

/// Beside the stream: the answer to [`Effect::Fetch`].
#[derive(Debug)]
pub(crate) enum Fetched {
    /// It is still the state that was named.
    Unchanged,
    /// The snapshot frame.
    State(String),
    /// No answer.
    Failed,
}

/// Where the client stands, for its status.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) state: State,
    pub(crate) since: Timestamp,
    pub(crate) position: Option<Position>,
    pub(crate) source: Source,
    pub(crate) last_heard: Option<Timestamp>,
    pub(crate) last_fresh: Option<Timestamp>,
    pub(crate) provisional_kills: Vec<KillId>,
    pub(crate) trouble: Option<Trouble>,
    /// Whether the first try to reach the server has ended, well or not.
    pub(crate) tried: bool,
}
