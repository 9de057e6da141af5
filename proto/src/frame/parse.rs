//! Reads frames of a server. Unknown members are skipped, and an entry that cannot be read keeps its errors.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::{Overlay, ServerFrame};
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
