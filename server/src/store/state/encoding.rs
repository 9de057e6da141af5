//! A state as bytes and as JSON. Entries are written with the bytes that they already have and parsed from the bytes that were written.

use std::collections::BTreeSet;
use std::sync::Arc;

use ripcord_proto::digest::Digest;
use ripcord_proto::record::{Record, Records};
use ripcord_proto::settings::Settings;
use ripcord_proto::table::{Entity, Entry, Table};
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Kill, KillId, Position, Segment, SegmentKey, Snapshot};
use serde_json::value::RawValue;

use super::StoredState;
use crate::store::Head;

/// A stored state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("a stored state was altered: its digest is {stated}, its contents give {computed}")]
    Altered { stated: Digest, computed: Digest },
    #[error("a stored state is cut short")]
    Short,
    #[error("a stored state cannot be read: {0}")]
    Json(#[from] serde_json::Error),
}

impl StoredState {
    /// The bytes to store: the digest of the JSON, then the JSON.
    pub fn encode(&self) -> Result<Vec<u8>, StateError> {
        let json = self.to_json()?;
        let digest = Digest::of([json.as_bytes()]);
        let mut bytes = Vec::with_capacity(32 + json.len());
        bytes.extend_from_slice(digest.bytes());
        bytes.extend_from_slice(json.as_bytes());
        Ok(bytes)
    }

    /// The reverse of [`encode`](Self::encode); verifies the digest.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        let (stated, json) = bytes.split_first_chunk::<32>().ok_or(StateError::Short)?;
        let (stated, computed) = (Digest::from_bytes(*stated), Digest::of([json]));
        if stated != computed {
            return Err(StateError::Altered { stated, computed });
        }
        Ok(parse(json)?)
    }

    /// The state as JSON, each entry with the position of its last change.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        write(self)
    }

    /// The reverse of [`to_json`](Self::to_json).
    pub fn from_json(json: &str) -> Result<Self, serde_json::Error> {
        parse(json.as_bytes())
    }
}

#[derive(serde::Serialize)]
struct StateJson<'a> {
    head: Head,
    environment: &'a EnvironmentKey,
    settings: &'a Settings,
    flags: Entries<'a, Flag>,
    segments: Entries<'a, Segment>,
    kills: Entries<'a, Kill>,
    ended_kills: &'a BTreeSet<KillId>,
    records: Vec<Record>,
}

struct Entries<'a, M: Entity>(&'a Table<M>);

impl<M: Entity> serde::Serialize for Entries<'_, M>
where
    M::Key: serde::Serialize,
{
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|entry| (entry.key(), entry.changed(), entry.json())))
    }
}

#[derive(serde::Deserialize)]
struct StateFields {
    head: Head,
    environment: EnvironmentKey,
    settings: Settings,
    flags: Vec<(FlagKey, Position, Box<RawValue>)>,
    segments: Vec<(SegmentKey, Position, Box<RawValue>)>,
    kills: Vec<(KillId, Position, Box<RawValue>)>,
    ended_kills: BTreeSet<KillId>,
    /// Absent in states that were written before there were records.
    #[serde(default)]
    records: Vec<Record>,
}

fn write(state: &StoredState) -> Result<String, serde_json::Error> {
    serde_json::to_string(&StateJson {
        head: state.head,
        environment: &state.snapshot.environment,
        settings: &state.snapshot.settings,
        flags: Entries(&state.snapshot.flags),
        segments: Entries(&state.snapshot.segments),
        kills: Entries(&state.snapshot.kills),
        ended_kills: &state.ended_kills,
        records: state.records.iter().collect(),
    })
}

fn parse(json: &[u8]) -> Result<StoredState, serde_json::Error> {
    let read: StateFields = serde_json::from_slice(json)?;
    let mut records = Records::default();
    read.records.iter().for_each(|record| records.put(record));
    Ok(StoredState {
        head: read.head,
        snapshot: Snapshot {
            environment: read.environment,
            position: read.head.position(),
            settings: read.settings,
            flags: table(read.flags),
            segments: table(read.segments),
            kills: table(read.kills),
        },
        ended_kills: read.ended_kills,
        records,
    })
}

fn table<M: Entity>(entries: Vec<(M::Key, Position, Box<RawValue>)>) -> Table<M> {
    let entry = |(key, changed, json)| Arc::new(Entry::from_raw(key, json, changed));
    entries.into_iter().map(entry).collect()
}
