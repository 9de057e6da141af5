//! Writes frames of a server, straight to text: a frame is encoded once for all its readers.

use std::fmt::Write as _;

use super::{Goodbye, Heartbeat, Overlay};
use crate::delta::{Changed, Delta, Removed, Urgency};
use crate::flag::Flag;
use crate::key::EnvironmentKey;
use crate::kill::Kill;
use crate::revision::{Epoch, Position, Revision};
use crate::segment::Segment;
use crate::settings::Settings;
use crate::snapshot::{ContentHash, Snapshot};
use crate::table::Table;

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
