//! The keys in Redis. All keys of one log share a hash tag, so that a script can use them together and a cluster keeps them on one
//! node: `ripcord:{production}:log`, `ripcord:{production}:state`.

use ripcord_proto::change::Change;
use ripcord_proto::commit::Sealed;
use ripcord_proto::record::{Record, RecordKey};
use ripcord_proto::table::{Entity, Entry};
use ripcord_proto::{Epoch, Revision, Sequence};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

use crate::store::state::StoredState;
use crate::store::{Head, LogName};

/// The stream of a log's entries. The id of an entry is its sequence, so that ids are dense and a read by sequence is direct.
pub(super) fn log(name: &LogName) -> String {
    format!("ripcord:{{{name}}}:log")
}

/// The hash of an environment's state: `head`, `settings`, `hash` and one field for each flag (`f:`), segment (`s:`), kill (`k:`),
/// ended kill (`ended:`) and record (`r:kind:`). For the system log it contains only the head.
pub(super) fn state(name: &LogName) -> String {
    format!("ripcord:{{{name}}}:state")
}

/// The hash of the claims of nodes that offer to re-seed a lost log.
pub(super) fn claims(name: &LogName) -> String {
    format!("ripcord:{{{name}}}:claims")
}

/// A key aside, in which `node` fills a log.
pub(super) fn aside(name: &LogName, node: &str, what: &str) -> String {
    format!("ripcord:{{{name}}}:aside:{node}:{what}")
}

/// The set of live nodes.
pub(super) fn nodes() -> String {
    "ripcord:{system}:nodes".to_owned()
}

/// The channel for queries to all nodes.
pub(super) fn questions() -> String {
    "ripcord:{system}:questions".to_owned()
}

/// The channel for answers to the node with this id.
pub(super) fn replies(id: &str) -> String {
    format!("ripcord:{{system}}:replies:{id}")
}

/// The log of a stream's key.
pub(super) fn log_of(key: &str) -> Option<LogName> {
    let name = key.strip_prefix("ripcord:{")?.strip_suffix("}:log")?;
    LogName::parse(name).ok()
}

/// The id of an entry.
pub(super) fn id(sequence: Sequence) -> String {
    format!("{sequence}-0")
}

/// The sequence of an id.
pub(super) fn sequence(id: &str) -> Option<Sequence> {
    id.strip_suffix("-0")?.parse().ok().map(Sequence)
}

/// A head as it is stored; empty for a log without entries.
pub(crate) fn head_text(head: Head) -> String {
    if head.sequence == Sequence(0) {
        return String::new();
    }
    format!("{} {} {} {}", head.epoch, head.revision, head.sequence, head.chain)
}

/// The contents of the field `head`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoredHead {
    /// Where the log ends.
    At(Head),
    /// It is being re-seeded.
    Reseeding,
}

/// The value of `head` while the log is being re-seeded; no append expects it.
pub(crate) const RESEEDING: &str = "reseeding";

/// Reads the field `head`; `None` if it is not something that ripcord writes.
pub(super) fn parse_head(text: &str) -> Option<StoredHead> {
    if text.is_empty() {
        return Some(StoredHead::At(Head::START));
    }
    if text == RESEEDING {
        return Some(StoredHead::Reseeding);
    }
    let mut parts = text.split(' ');
    let head = Head {
        epoch: Epoch(parts.next()?.parse().ok()?),
        revision: Revision(parts.next()?.parse().ok()?),
        sequence: Sequence(parts.next()?.parse().ok()?),
        chain: parts.next()?.parse().ok()?,
    };
    Some(StoredHead::At(head))
}

/// All fields of a state except its head.
pub(super) fn state_fields(state: &StoredState) -> Vec<(String, String)> {
    let snapshot = &state.snapshot;
    let settings = serde_json::to_string(&snapshot.settings).unwrap_or_default();
    let mut fields = vec![("settings".to_owned(), settings), ("hash".to_owned(), snapshot.content_hash().to_string())];
    fields.extend(snapshot.flags.iter().map(|flag| (format!("f:{}", flag.key()), entry_text(flag))));
    fields.extend(snapshot.segments.iter().map(|segment| (format!("s:{}", segment.key()), entry_text(segment))));
    fields.extend(snapshot.kills.iter().map(|kill| (format!("k:{}", kill.key()), entry_text(kill))));
    fields.extend(state.ended_kills.iter().map(|id| (format!("ended:{id}"), String::new())));
    fields.extend(state.records.iter().map(|record| (record_field(&record.key()), record.json().to_string())));
    fields
}

/// The field of a record: `r:checkpoint:before-web-12`.
fn record_field(key: &RecordKey) -> String {
    format!("r:{}:{}", key.kind(), key.as_str())
}

/// The record in a field; `None` for a field of another kind.
pub(super) fn record(field: &str, json: &str) -> Option<Record> {
    let (kind, key) = field.strip_prefix("r:")?.split_once(':')?;
    let json = RawValue::from_string(json.to_owned()).ok()?;
    Record::from_raw(kind, key, json).ok()
}

/// An entry as it is stored: the position of its last change, then its JSON.
fn entry_text<M: Entity>(entry: &Entry<M>) -> String {
    format!("{} {}", entry.changed(), entry.json())
}

/// How entries change the fields of the state: the new value of each, or `None` if it is removed.
pub(super) fn fields(entries: &[Sealed]) -> BTreeMap<String, Option<String>> {
    let mut fields = BTreeMap::new();
    for entry in entries {
        for change in &entry.commit.changes {
            match change {
                Change::PutFlag(flag) => _ = fields.insert(format!("f:{}", flag.key()), Some(entry_text(flag))),
                Change::DeleteFlag(key) => _ = fields.insert(format!("f:{key}"), None),
                Change::PutSegment(segment) => {
                    fields.insert(format!("s:{}", segment.key()), Some(entry_text(segment)));
                }
                Change::DeleteSegment(key) => _ = fields.insert(format!("s:{key}"), None),
                Change::PutKill(kill) => _ = fields.insert(format!("k:{}", kill.key()), Some(entry_text(kill))),
                Change::Restore(id) => {
                    fields.insert(format!("k:{id}"), None);
                    fields.insert(format!("ended:{id}"), Some(String::new()));
                }
                Change::PutSettings(settings) => {
                    let json = serde_json::to_string(settings).unwrap_or_default();
                    fields.insert("settings".to_owned(), Some(json));
                }
                Change::PutRecord(record) => _ = fields.insert(record_field(&record.key()), Some(record.json().to_string())),
                Change::DeleteRecord(key) => _ = fields.insert(record_field(key), None),
                Change::Ping(_) | Change::NewEpoch(_) | Change::PutEnvironment(_) | Change::DeleteEnvironment(_) | Change::PutKey(_) | Change::RevokeKey(_) => {
                }
            }
        }
        if let Some(hash) = &entry.commit.hash {
            fields.insert("hash".to_owned(), Some(hash.to_string()));
        }
    }
    fields
}
