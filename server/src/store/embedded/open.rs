//! Opening: nothing is served from a file before it is verified to be complete.
//!
//! redb verifies the checksum of every page. Then the newest part of each log, from its newest state on, is verified against the
//! hash chain, then what the write-ahead log holds beyond it, and the commit marker must agree. If the marker is missing or cannot be
//! read, all entries are verified. Opening writes nothing to the database, except to a new one: the disk may be full.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use redb::{Builder, Database, ReadableDatabase as _, ReadableTable as _, Table, WriteTransaction};
use ripcord_proto::commit::Commit;
use ripcord_proto::digest::Digest;
use ripcord_proto::{Epoch, Sequence};

use super::commit_marker::{CommitMarker, MarkedCommit, MarkerState};
use super::directory::{DATABASE, MARKER};
use super::logs::{KnownLog, Logs};
use super::read::{WAY_OUT, failed, name};
use super::recent::RecentEntries;
use super::replay::follow;
use super::schema::{ENTRIES, FormatError, LOGS, META, NEXT_LOG, REPLACED, STATES, StoredEntry, StoredFormat, entries_after, states_of};
use super::view::StoreView;
use super::write_ahead;
use crate::store::{Head, LogName, StoreError};

/// Bytes that redb may keep in memory. Reads of flags never come here, and the newest pages are all that commits touch.
const CACHE: usize = 16 * 1024 * 1024;

/// What was opened.
pub(super) struct Opened {
    pub(super) view: StoreView,
    pub(super) format: StoredFormat,
    pub(super) logs: Logs,
    pub(super) marker: CommitMarker,
}

/// How much of a log is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProofScope {
    /// The entries after its newest state.
    Tail,
    Whole,
}

pub(super) fn open(directory: &Path) -> Result<Opened, StoreError> {
    let marker_state = CommitMarker::read(directory)?;
    let database = database(directory, &marker_state)?;
    let format = prepare(&database)?;
    let proof = match marker_state {
        MarkerState::Known(_) => ProofScope::Tail,
        MarkerState::Missing | MarkerState::Unreadable => ProofScope::Whole,
    };
    if marker_state == MarkerState::Unreadable {
        tracing::warn!(file = MARKER, "cannot read the commit marker; verifying every entry of every log instead");
    }
    let mut logs = logs(&database, proof)?;
    let recent = match format {
        StoredFormat::Complete => RecentEntries::default(),
        StoredFormat::WithLog { lap } => follow(&mut logs, write_ahead::read(directory, lap)?)?,
    };
    if let MarkerState::Known(last) = &marker_state {
        agree(&database, &recent, &logs, last)?;
    }
    let mut marker = CommitMarker::open(directory, &marker_state)?;
    if !matches!(marker_state, MarkerState::Known(_)) {
        let newest = logs.by_name.iter().max_by_key(|(_, known)| known.head.sequence);
        marker.write(logs.replaced, newest.map(|(name, known)| (name, known.head.sequence, known.head.chain)))?;
        marker.flush()?;
    }
    let view = StoreView {
        database: Arc::new(database),
        recent: Arc::new(recent),
    };
    Ok(Opened { view, format, logs, marker })
}

fn database(directory: &Path, marker_state: &MarkerState) -> Result<Database, StoreError> {
    let path = directory.join(DATABASE);
    let is_empty = std::fs::metadata(&path).map_or(true, |file| file.len() == 0);
    if is_empty && matches!(marker_state, MarkerState::Known(MarkedCommit { entry: Some(_), .. }) | MarkerState::Unreadable) {
        return Err(damaged(&path, "it is missing or empty, but entries were written to it"));
    }
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    // A damaged file can make redb panic, above all where its debug assertions are compiled in.
    match catch_unwind(AssertUnwindSafe(|| builder.create(&path))) {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(redb::DatabaseError::DatabaseAlreadyOpen)) => Err(StoreError::InUse(directory.to_owned())),
        Ok(Err(error)) => Err(damaged(&path, &error.to_string())),
        Err(_) => Err(damaged(&path, "its pages do not match")),
    }
}

fn damaged(path: &Path, why: &str) -> StoreError {
    StoreError::Corrupt(format!(
        "{} is damaged or cut short ({why}); the server did not start. {WAY_OUT}",
        path.display()
    ))
}

/// Creates the tables of a new database; refuses a database of another version.
fn prepare(database: &Database) -> Result<StoredFormat, StoreError> {
    let transaction = database.begin_read().map_err(failed)?;
    let found = match transaction.open_table(META) {
        Ok(meta) => StoredFormat::read(&meta),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => return Err(failed(error)),
    };
    match found {
        Ok(Some(format)) => Ok(format),
        Ok(None) => {
            let transaction = database.begin_write().map_err(failed)?;
            make_tables(&transaction)?;
            transaction.commit().map_err(failed)?;
            Ok(StoredFormat::Complete)
        }
        Err(FormatError::Storage(error)) => Err(failed(error)),
        Err(FormatError::Unknown(version)) => Err(StoreError::Corrupt(format!(
            "the data directory has format {version}; this version of ripcord reads formats 1 and 2. Start the version that wrote it"
        ))),
    }
}

fn make_tables(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let mut meta: Table<&str, u64> = transaction.open_table(META).map_err(failed)?;
    StoredFormat::Complete.write(&mut meta).map_err(failed)?;
    transaction.open_table(LOGS).map_err(failed)?;
    transaction.open_table(ENTRIES).map_err(failed)?;
    transaction.open_table(STATES).map_err(failed)?;
    Ok(())
}

fn logs(database: &Database, proof: ProofScope) -> Result<Logs, StoreError> {
    let transaction = database.begin_read().map_err(failed)?;
    let meta = transaction.open_table(META).map_err(failed)?;
    let number = |key| Ok::<_, StoreError>(meta.get(key).map_err(failed)?.map_or(0, |number| number.value()));
    let mut logs = Logs {
        by_name: BTreeMap::new(),
        next_id: u32::try_from(number(NEXT_LOG)?).unwrap_or(u32::MAX),
        replaced: number(REPLACED)?,
    };
    let entries = transaction.open_table(ENTRIES).map_err(failed)?;
    let states = transaction.open_table(STATES).map_err(failed)?;
    for row in transaction.open_table(LOGS).map_err(failed)?.iter().map_err(failed)? {
        let (text, id) = row.map_err(failed)?;
        let (log, id) = (name(text.value())?, id.value());
        let newest_state = match proof {
            ProofScope::Tail => states.range(states_of(id)).map_err(failed)?.next_back(),
            ProofScope::Whole => None,
        };
        let from = newest_state.transpose().map_err(failed)?.map_or(0, |(key, _)| key.value().3);
        let head = prove(&entries, &log, id, Sequence(from))?;
        logs.by_name.insert(log, KnownLog { id, head });
    }
    Ok(logs)
}

/// Verifies the entries of a log after `from` against the chain, and that none is missing. Returns the head.
fn prove(entries: &impl redb::ReadableTable<(u32, u64), &'static [u8]>, log: &LogName, id: u32, from: Sequence) -> Result<Head, StoreError> {
    let bad = |sequence: u64, what: &str| StoreError::Corrupt(format!("entry {sequence} of the log {log} {what}; nothing was started. {WAY_OUT}"));
    let mut head = Head {
        sequence: Sequence(from.0.saturating_sub(1)),
        ..Head::START
    };
    for row in entries.range(entries_after(id, Sequence(from.0.saturating_sub(1)))).map_err(failed)? {
        let (key, bytes) = row.map_err(failed)?;
        let sequence = key.value().1;
        let record = StoredEntry::parse(bytes.value()).ok_or_else(|| bad(sequence, "cannot be read"))?;
        if sequence != head.sequence.0 + 1 {
            return Err(bad(head.sequence.0 + 1, "is missing"));
        }
        // The first entry of a tail belongs to the stored state, and its link to the entry before is verified with the state.
        let follows_known = sequence != from.0;
        if follows_known && Digest::of([head.chain.bytes().as_slice(), record.body.as_bytes()]) != record.digest {
            return Err(bad(sequence, "was altered, or an entry before it"));
        }
        head.sequence = Sequence(sequence);
        head.chain = record.digest;
        head.revision = record.revision;
    }
    if head.sequence.0 < from.0 {
        return Err(bad(from.0, "is missing"));
    }
    head.epoch = epoch_at(entries, id, head.sequence).ok_or_else(|| bad(head.sequence.0, "cannot be read"))?;
    Ok(head)
}

fn epoch_at(entries: &impl redb::ReadableTable<(u32, u64), &'static [u8]>, id: u32, last: Sequence) -> Option<Epoch> {
    if last == Sequence(0) {
        return Some(Head::START.epoch);
    }
    let bytes = entries.get((id, last.0)).ok()??;
    let commit = Commit::parse(StoredEntry::parse(bytes.value())?.body).ok()?;
    Some(commit.epoch)
}

/// Refuses a store that lacks the entry that the commit marker names.
fn agree(database: &Database, recent: &RecentEntries, logs: &Logs, marked: &MarkedCommit) -> Result<(), StoreError> {
    let lost = |what: String| {
        Err(StoreError::Corrupt(format!(
            "{DATABASE} has lost what was written last: {what}, as {MARKER} tells. It is damaged or an older copy; nothing was started. {WAY_OUT}, or, \
             if an older copy was put there on purpose, remove {MARKER} and start again"
        )))
    };
    if logs.replaced > marked.replaced {
        return Ok(());
    }
    if logs.replaced < marked.replaced {
        return lost("a log was replaced or removed".to_owned());
    }
    let Some(entry) = &marked.entry else { return Ok(()) };
    let found = match logs.by_name.get(&name(&entry.log)?) {
        Some(known) => {
            let transaction = database.begin_read().map_err(failed)?;
            let entries = transaction.open_table(ENTRIES).map_err(failed)?;
            let stored = entries.get((known.id, entry.sequence.0)).map_err(failed)?;
            let bytes = stored.as_ref().map(redb::AccessGuard::value).or_else(|| recent.get(known.id, entry.sequence));
            bytes.and_then(StoredEntry::parse).map(|record| record.digest)
        }
        None => None,
    };
    if found == Some(entry.digest) {
        return Ok(());
    }
    lost(format!("entry {} of the log {}", entry.sequence, entry.log))
}
