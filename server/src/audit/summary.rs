//! Summaries of commits.

use ripcord_proto::change::Change;
use ripcord_proto::commit::Sealed;
use ripcord_proto::record::RecordKey;
use ripcord_proto::rest::log::{ChangeSummary, LogEntry, OrphanView};

use crate::environment::Orphan;
use crate::store::LogName;

/// Most changes that a list names.
const NAMED_CHANGES: usize = 100;

/// A commit as a list shows it.
pub fn summary(log: &LogName, entry: &Sealed) -> LogEntry {
    let commit = &entry.commit;
    LogEntry {
        log: log.to_string(),
        sequence: commit.sequence,
        epoch: commit.epoch,
        revision: commit.revision,
        at: commit.at,
        actor: commit.actor.clone(),
        origin: commit.origin.clone(),
        reason: commit.reason.clone(),
        release: commit.release.clone(),
        approved: commit.approved.clone(),
        urgent: commit.urgent,
        changes: commit.changes.iter().take(NAMED_CHANGES).map(change).collect(),
        changes_total: commit.changes.len(),
        digest: entry.digest,
    }
}

/// An orphan of this node as a list shows it.
pub fn orphan(orphan: &Orphan, node: &str) -> OrphanView {
    let commit = &orphan.commit;
    OrphanView {
        log: orphan.log.to_string(),
        node: node.to_owned(),
        found_at: orphan.found_at,
        sequence: commit.sequence,
        epoch: commit.epoch,
        revision: commit.revision,
        at: commit.at,
        actor: commit.actor.clone(),
        reason: commit.reason.clone(),
        changes: commit.changes.iter().take(NAMED_CHANGES).map(change).collect(),
        changes_total: commit.changes.len(),
    }
}

/// `checkpoint before-web-12`
fn named(key: &RecordKey) -> String {
    format!("{} {}", key.kind(), key.as_str())
}

/// The kind of the record that is changed, if one is.
fn kind(change: &Change) -> Option<&'static str> {
    if let Change::PutRecord(record) = change {
        return Some(record.key().kind());
    }
    if let Change::DeleteRecord(key) = change {
        return Some(key.kind());
    }
    None
}

fn change(change: &Change) -> ChangeSummary {
    let (name, what) = match change {
        Change::PutFlag(entry) => ("put_flag", entry.key().to_string()),
        Change::DeleteFlag(key) => ("delete_flag", key.to_string()),
        Change::PutSegment(entry) => ("put_segment", entry.key().to_string()),
        Change::DeleteSegment(key) => ("delete_segment", key.to_string()),
        Change::PutKill(entry) => match entry.value() {
            Ok(kill) => ("put_kill", format!("{} of {}", kill.id, kill.scope)),
            Err(_) => ("put_kill", entry.key().to_string()),
        },
        Change::Restore(id) => ("restore", id.to_string()),
        Change::PutSettings(_) => ("put_settings", String::new()),
        Change::PutRecord(record) => ("put_record", named(&record.key())),
        Change::DeleteRecord(key) => ("delete_record", named(key)),
        Change::Ping(id) => ("ping", id.to_string()),
        Change::NewEpoch(cause) => (
            "new_epoch",
            serde_json::to_value(cause)
                .ok()
                .and_then(|cause| cause.as_str().map(ToOwned::to_owned))
                .unwrap_or_default(),
        ),
        Change::PutEnvironment(record) => ("put_environment", record.key.to_string()),
        Change::DeleteEnvironment(key) => ("delete_environment", key.to_string()),
        Change::PutKey(record) => ("put_key", format!("{} ({}, {})", record.id, record.name, record.role)),
        Change::RevokeKey(id) => ("revoke_key", id.clone()),
    };
    ChangeSummary {
        change: name.to_owned(),
        subject: what,
        key: key(change),
        record: kind(change).map(str::to_owned),
    }
}

/// The key or id alone, so that no program takes it out of the subject.
fn key(change: &Change) -> Option<String> {
    let of_record = |key: &RecordKey| Some(key.as_str().to_owned()).filter(|key| !key.is_empty());
    match change {
        Change::PutFlag(entry) => Some(entry.key().to_string()),
        Change::DeleteFlag(key) => Some(key.to_string()),
        Change::PutSegment(entry) => Some(entry.key().to_string()),
        Change::DeleteSegment(key) => Some(key.to_string()),
        Change::PutKill(entry) => Some(entry.key().to_string()),
        Change::Restore(id) => Some(id.to_string()),
        Change::PutRecord(record) => of_record(&record.key()),
        Change::DeleteRecord(key) => of_record(key),
        Change::Ping(id) => Some(id.to_string()),
        Change::PutEnvironment(record) => Some(record.key.to_string()),
        Change::DeleteEnvironment(key) => Some(key.to_string()),
        Change::PutKey(record) => Some(record.id.clone()),
        Change::RevokeKey(id) => Some(id.clone()),
        Change::PutSettings(_) | Change::NewEpoch(_) => None,
    }
}
