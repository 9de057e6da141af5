//! Stream frames: JSON objects with a `type`, the same over WebSocket and SSE.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::delta::{Changed, Delta, Removed, Urgency};
use crate::flag::Flag;
use crate::key::{EnvironmentKey, FlagKey, SegmentKey};
use crate::kill::{Kill, KillId};
use crate::revision::{Epoch, Position, Revision};
use crate::segment::Segment;
use crate::settings::Settings;
use crate::snapshot::{ContentHash, Snapshot};
use crate::table::{Entity, Entry, Table};
use crate::validation::ValidationErrors;

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

#[derive(serde::Deserialize)]
struct Tag<'a> {
    #[serde(borrow, rename = "type")]
    kind: std::borrow::Cow<'a, str>,
}

#[derive(serde::Deserialize)]
struct RawSnapshot {
    environment: EnvironmentKey,
    epoch: Epoch,
    revision: Revision,
    hash: ContentHash,
    #[serde(default)]
    settings: Settings,
    flags: BTreeMap<FlagKey, Box<RawValue>>,
    #[serde(default)]
    segments: BTreeMap<SegmentKey, Box<RawValue>>,
    #[serde(default)]
    kills: BTreeMap<KillId, Box<RawValue>>,
    #[serde(default)]
    overlay: Overlay,
    #[serde(default)]
    supersedes: Option<Position>,
}

#[derive(serde::Deserialize)]
struct RawDelta {
    epoch: Epoch,
    from: Revision,
    revision: Revision,
    hash: ContentHash,
    #[serde(default)]
    urgent: bool,
    #[serde(default)]
    changed: RawChanged,
    #[serde(default)]
    removed: Removed,
}

#[derive(Default, serde::Deserialize)]
struct RawChanged {
    #[serde(default)]
    flags: BTreeMap<FlagKey, Box<RawValue>>,
    #[serde(default)]
    segments: BTreeMap<SegmentKey, Box<RawValue>>,
    #[serde(default)]
    kills: BTreeMap<KillId, Box<RawValue>>,
    #[serde(default)]
    settings: Option<Settings>,
}

fn table<M: Entity>(raw: BTreeMap<M::Key, Box<RawValue>>, at: Position) -> Table<M> {
    raw.into_iter().map(|(key, json)| Arc::new(Entry::from_raw(key, json, at))).collect()
}

impl ServerFrame {
    /// Parses one frame. Unknown members are skipped, so that an older client works with a newer
    /// server. An entry that cannot be read is kept with its errors.
    pub fn parse(text: &str) -> Result<Self, ValidationErrors> {
        fn read<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, ValidationErrors> {
            serde_json::from_str(text).map_err(|error| ValidationErrors::one("", format!("not a frame: {error}")))
        }
        let tag: Tag<'_> = read(text)?;
        match &*tag.kind {
            "snapshot" => read(text).map(RawSnapshot::into_frame),
            "delta" => read(text).map(RawDelta::into_frame),
            "overlay" => read(text).map(Self::Overlay),
            "heartbeat" => read(text).map(Self::Heartbeat),
            "goodbye" => read(text).map(Self::Goodbye),
            other => Err(ValidationErrors::one("type", format!("{other:?} is not a frame that a server sends"))),
        }
    }
}

impl RawSnapshot {
    fn into_frame(self) -> ServerFrame {
        let position = Position {
            epoch: self.epoch,
            revision: self.revision,
        };
        let snapshot = Snapshot {
            environment: self.environment,
            position,
            settings: self.settings,
            flags: table::<Flag>(self.flags, position),
            segments: table::<Segment>(self.segments, position),
            kills: table::<Kill>(self.kills, position),
        };
        match self.supersedes {
            Some(position) => ServerFrame::Superseding(Box::new(snapshot), self.hash, self.overlay, position),
            None => ServerFrame::Snapshot(Box::new(snapshot), self.hash, self.overlay),
        }
    }
}

impl RawDelta {
    fn into_frame(self) -> ServerFrame {
        let to = Position {
            epoch: self.epoch,
            revision: self.revision,
        };
        let changed = Changed {
            flags: table(self.changed.flags, to),
            segments: table(self.changed.segments, to),
            kills: table(self.changed.kills, to),
            settings: self.changed.settings,
        };
        let urgency = if self.urgent { Urgency::Urgent } else { Urgency::Ordinary };
        ServerFrame::Delta(Box::new(Delta {
            from: self.from,
            to,
            hash: self.hash,
            urgency,
            changed,
            removed: self.removed,
        }))
    }
}

/// Encodes the snapshot frame.
pub fn encode_snapshot(snapshot: &Snapshot, hash: &ContentHash, overlay: &Overlay) -> Result<String, serde_json::Error> {
    encode(snapshot, hash, overlay, None)
}

/// Encodes a snapshot frame for a client at `supersedes`, which no node knows: it takes the snapshot although it is older.
pub fn encode_superseding(snapshot: &Snapshot, hash: &ContentHash, overlay: &Overlay, supersedes: Position) -> Result<String, serde_json::Error> {
    encode(snapshot, hash, overlay, Some(supersedes))
}

fn encode(snapshot: &Snapshot, hash: &ContentHash, overlay: &Overlay, supersedes: Option<Position>) -> Result<String, serde_json::Error> {
    #[derive(serde::Serialize)]
    struct Encoded<'a> {
        r#type: &'static str,
        environment: &'a EnvironmentKey,
        epoch: Epoch,
        revision: Revision,
        hash: &'a ContentHash,
        settings: &'a Settings,
        flags: &'a Table<Flag>,
        segments: &'a Table<Segment>,
        kills: &'a Table<Kill>,
        overlay: &'a Overlay,
        #[serde(skip_serializing_if = "Option::is_none")]
        supersedes: Option<Position>,
    }
    serde_json::to_string(&Encoded {
        r#type: "snapshot",
        environment: &snapshot.environment,
        epoch: snapshot.position.epoch,
        revision: snapshot.position.revision,
        hash,
        settings: &snapshot.settings,
        flags: &snapshot.flags,
        segments: &snapshot.segments,
        kills: &snapshot.kills,
        overlay,
        supersedes,
    })
}

/// The entity tag of a snapshot frame at `GET /v1/snapshot`, different for each revision and each overlay. A client that
/// received all of it on its stream computes the same tag, so that nothing has to be sent.
pub fn snapshot_tag(position: Position, hash: &ContentHash, overlay: &Overlay) -> Result<String, serde_json::Error> {
    let overlay = serde_json::to_vec(overlay)?;
    let digest = ContentHash::of([hash.bytes().as_slice(), &overlay]).to_string();
    let short = digest.get(..16).unwrap_or(&digest);
    Ok(format!("\"{position}-{short}\""))
}

/// Encodes a delta frame.
pub fn encode_delta(delta: &Delta) -> Result<String, serde_json::Error> {
    #[derive(serde::Serialize)]
    struct Encoded<'a> {
        r#type: &'static str,
        epoch: Epoch,
        from: Revision,
        revision: Revision,
        hash: &'a ContentHash,
        urgent: bool,
        changed: EncodedChanged<'a>,
        removed: &'a Removed,
    }
    #[derive(serde::Serialize)]
    struct EncodedChanged<'a> {
        #[serde(skip_serializing_if = "Table::is_empty")]
        flags: &'a Table<Flag>,
        #[serde(skip_serializing_if = "Table::is_empty")]
        segments: &'a Table<Segment>,
        #[serde(skip_serializing_if = "Table::is_empty")]
        kills: &'a Table<Kill>,
        #[serde(skip_serializing_if = "Option::is_none")]
        settings: Option<&'a Settings>,
    }
    let Changed {
        flags,
        segments,
        kills,
        settings,
    } = &delta.changed;
    serde_json::to_string(&Encoded {
        r#type: "delta",
        epoch: delta.to.epoch,
        from: delta.from,
        revision: delta.to.revision,
        hash: &delta.hash,
        urgent: delta.urgency == Urgency::Urgent,
        changed: EncodedChanged {
            flags,
            segments,
            kills,
            settings: settings.as_ref(),
        },
        removed: &delta.removed,
    })
}

/// Encodes one of the small frames.
fn encode_tagged(kind: &str, body: &impl serde::Serialize) -> Result<String, serde_json::Error> {
    let body = serde_json::to_string(body)?;
    let mut text = String::with_capacity(body.len() + kind.len() + 12);
    let rest = body.strip_prefix('{').unwrap_or(&body);
    let comma = if rest == "}" { "" } else { "," };
    // Writing to a String cannot fail.
    let _ = write!(text, "{{\"type\":\"{kind}\"{comma}{rest}");
    Ok(text)
}

/// Encodes an overlay frame.
pub fn encode_overlay(overlay: &Overlay) -> Result<String, serde_json::Error> {
    encode_tagged("overlay", overlay)
}

/// Encodes a heartbeat frame.
pub fn encode_heartbeat(heartbeat: &Heartbeat) -> Result<String, serde_json::Error> {
    encode_tagged("heartbeat", heartbeat)
}

/// Encodes a goodbye frame.
pub fn encode_goodbye(goodbye: &Goodbye) -> Result<String, serde_json::Error> {
    encode_tagged("goodbye", goodbye)
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
