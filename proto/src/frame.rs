//! Stream frames: JSON objects with a `type`, the same over WebSocket and SSE.

mod encode;
mod parse;

use std::collections::BTreeMap;

use crate::delta::Delta;
use crate::kill::{Kill, KillId};
use crate::revision::{Epoch, Position, Revision};
use crate::snapshot::{ContentHash, Snapshot};

pub use self::encode::{encode_delta, encode_goodbye, encode_heartbeat, encode_overlay, encode_snapshot, encode_superseding, snapshot_tag};

/// The first message of a client. Over SSE its members are query parameters.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Hello {
    /// Name and version of the SDK: `ripcord-rust/0.1.0`.
    pub sdk: String,
    /// The name of the instance: `checkout-7f9c`.
    pub instance: String,
    /// A random id, different for each process.
    pub instance_id: String,
    /// The epoch of its state; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// The revision of its state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// The content hash of its state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<ContentHash>,
    /// Whether it will acknowledge; if `false`, it is counted as `sent`.
    #[serde(default = "acknowledges")]
    pub acknowledges: bool,
}

const fn acknowledges() -> bool {
    true
}

impl Hello {
    /// The position of the client's state, if it has one.
    pub fn position(&self) -> Option<Position> {
        Some(Position {
            epoch: self.epoch?,
            revision: self.revision?,
        })
    }
}

/// Heartbeat, sent in both directions.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Heartbeat {
    /// The sender's epoch.
    pub epoch: Epoch,
    /// The sender's revision.
    pub revision: Revision,
    /// The sender's clock when it sent the heartbeat.
    pub time: jiff::Timestamp,
    /// From a node: whether it cannot have missed a kill, because it reaches its store or all configured peers. Leases are counted
    /// from the last such heartbeat.
    #[serde(default)]
    pub fresh: bool,
}

/// Acknowledges the revision that a client now evaluates, and thereby every earlier revision of the epoch.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ack {
    /// The epoch in force.
    pub epoch: Epoch,
    /// The revision in force.
    pub revision: Revision,
    /// The content hash in force.
    pub hash: ContentHash,
    /// The provisional kills in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kills: Vec<KillId>,
}

/// Why a client asks for a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Resync {
    /// The reason, for the server's log.
    pub why: String,
}

/// Announces that a stream ends.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Goodbye {
    /// The reason: `shutting down`, `key revoked`, `application ends`.
    pub why: String,
    /// From the server: how long to wait before reconnecting; the client adds full jitter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// From the server: whether reconnecting can succeed (`false` after a key was revoked).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<bool>,
}

/// All provisional kills in force, and those that ended recently.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Overlay {
    /// The kills in force, by id.
    pub kills: BTreeMap<KillId, Kill>,
    /// The kills that ended recently, and how. An SDK keeps a provisional kill until it is listed here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ended: BTreeMap<KillId, KillEnd>,
}

/// How a provisional kill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum KillEnd {
    /// It was written to the log, and is in the snapshot as a committed kill.
    Merged,
    /// It was lifted with a restore.
    Restored,
    /// The node that took it withdrew it.
    Withdrawn,
}

/// A frame from the server.
#[derive(Debug, Clone)]
pub enum ServerFrame {
    /// The complete state, and the overlay.
    Snapshot(Box<Snapshot>, ContentHash, Overlay),
    /// The same, for a client that is ahead of every node, at the position that it named in its hello. A client that is still there takes
    /// it although it is older.
    Superseding(Box<Snapshot>, ContentHash, Overlay, Position),
    /// The changes since an earlier revision.
    Delta(Box<Delta>),
    /// All provisional kills in force, sent when they change.
    Overlay(Overlay),
    /// Shows that the connection is alive.
    Heartbeat(Heartbeat),
    /// The server closes the stream.
    Goodbye(Goodbye),
}

/// A frame from a client.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ClientFrame {
    /// The first frame, with the client's identity and state.
    Hello(Hello),
    /// Acknowledges the revision that the client now evaluates at.
    Ack(Ack),
    /// Shows that the connection is alive.
    Heartbeat(Heartbeat),
    /// A request for a snapshot.
    Resync(Resync),
    /// The client closes the stream.
    Goodbye(Goodbye),
}

/// The name of a frame, as in SSE's `event:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// `snapshot`
    Snapshot,
    /// `delta`
    Delta,
    /// `overlay`
    Overlay,
    /// `heartbeat`
    Heartbeat,
    /// `goodbye`
    Goodbye,
}

impl FrameKind {
    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Delta => "delta",
            Self::Overlay => "overlay",
            Self::Heartbeat => "heartbeat",
            Self::Goodbye => "goodbye",
        }
    }
}
