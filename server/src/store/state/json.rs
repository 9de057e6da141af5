//! A state as JSON. Entries are written with the bytes that they already have and parsed from the bytes that were written.

use std::collections::BTreeSet;
use std::sync::Arc;

use ripcord_proto::record::{Record, Records};
use ripcord_proto::settings::Settings;
use ripcord_proto::table::{Entry, Entity, Table};
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Kill, KillId, Position, Segment, SegmentKey, Snapshot};
use serde_json::value::RawValue;

use super::StoredState;
use crate::store::Head;

#[derive(serde::Serialize)]
struct Written<'a> {
    head: Head,
    environment: &'a EnvironmentKey,
    settings: Settings,
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
struct Read {
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

pub(super) fn write(state: &StoredState) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Written {
        head: state.head,
        environment: &state.snapshot.environment,
        settings: state.snapshot.settings,
        flags: Entries(&state.snapshot.flags),
        segments: Entries(&state.snapshot.segments),
        kills: Entries(&state.snapshot.kills),
        ended_kills: &state.ended_kills,
        records: state.records.iter().collect(),
    })
}

pub(super) fn parse(json: &[u8]) -> Result<StoredState, serde_json::Error> {
    let read: Read = serde_json::from_slice(json)?;
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
