//! The tables of the database and the encoding of their values.

use redb::{ReadableTable, Table, TableDefinition};
use ripcord_proto::commit::Sealed;
use ripcord_proto::digest::Digest;
use ripcord_proto::{Revision, Sequence};

/// Single numbers, by name.
pub(super) const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");
/// In `META`: the version of what the data directory holds; see [`StoredFormat`].
const FORMAT: &str = "format";
/// In `META`: the lap of the write-ahead log whose batches follow what is in the tables.
const LAP: &str = "lap";
/// In `META`: the id that the next new log gets; ids are never used again.
pub(super) const NEXT_LOG: &str = "next_log";
/// In `META`: how often logs were dropped or replaced.
pub(super) const REPLACED: &str = "replaced";
/// The ids of the logs, by name.
pub(super) const LOGS: TableDefinition<'static, &str, u32> = TableDefinition::new("logs");
/// The entries, by log and sequence; see [`StoredEntry`].
pub(super) const ENTRIES: TableDefinition<'static, (u32, u64), &[u8]> = TableDefinition::new("entries");
/// Kept states, by log, epoch, revision and sequence; see `StoredState::encode`.
pub(super) const STATES: TableDefinition<'static, (u32, u64, u64, u64), &[u8]> = TableDefinition::new("states");

/// Where the entries of a data directory are.
///
/// A program from before the write-ahead log reads version 1 alone. So it refuses a directory whose log holds commits, and reads one
/// that was closed in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoredFormat {
    /// Version 1: all of them are in the database.
    Complete,
    /// Version 2: those of this lap of the write-ahead log follow.
    WithLog { lap: u64 },
}

impl StoredFormat {
    /// Reads it; `None` in a new database. An unknown version is an error.
    pub(super) fn read(meta: &impl ReadableTable<&'static str, u64>) -> Result<Option<Self>, FormatError> {
        let version = meta.get(FORMAT)?.map(|version| version.value());
        match version {
            None => Ok(None),
            Some(1) => Ok(Some(Self::Complete)),
            Some(2) => {
                let lap = meta.get(LAP)?.map_or(0, |lap| lap.value());
                Ok(Some(Self::WithLog { lap }))
            }
            Some(other) => Err(FormatError::Unknown(other)),
        }
    }

    pub(super) fn write(self, meta: &mut Table<'_, &'static str, u64>) -> Result<(), redb::StorageError> {
        match self {
            Self::Complete => meta.insert(FORMAT, 1)?,
            Self::WithLog { lap } => {
                meta.insert(LAP, lap)?;
                meta.insert(FORMAT, 2)?
            }
        };
        Ok(())
    }
}

/// Why a format cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FormatError {
    #[error(transparent)]
    Storage(#[from] redb::StorageError),
    /// The version of a later program.
    #[error("format {0}")]
    Unknown(u64),
}

const DIGEST: usize = 32;
const REVISION: usize = 8;

/// An entry as it is stored: its digest (32 bytes), the log's last revision with it (8 bytes, big-endian), its body.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredEntry<'a> {
    pub(super) digest: Digest,
    /// The revision that it made, or else the last one before it, so that the head can be read from the entry alone.
    pub(super) revision: Revision,
    /// The commit's JSON.
    pub(super) body: &'a str,
}

impl<'a> StoredEntry<'a> {
    /// The bytes to store.
    pub(super) fn write(entry: &Sealed, revision: Revision) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(DIGEST + REVISION + entry.body.len());
        bytes.extend_from_slice(entry.digest.bytes());
        bytes.extend_from_slice(&revision.0.to_be_bytes());
        bytes.extend_from_slice(entry.body.as_bytes());
        bytes
    }

    /// Decodes the bytes; `None` if they are not an entry.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (digest, rest) = bytes.split_first_chunk::<DIGEST>()?;
        let (revision, body) = rest.split_first_chunk::<REVISION>()?;
        Some(Self {
            digest: Digest::from_bytes(*digest),
            revision: Revision(u64::from_be_bytes(*revision)),
            body: std::str::from_utf8(body).ok()?,
        })
    }
}

/// All entries of a log after a sequence.
pub(super) fn entries_after(log: u32, after: Sequence) -> std::ops::RangeInclusive<(u32, u64)> {
    (log, after.0.saturating_add(1))..=(log, u64::MAX)
}

/// All states of a log.
pub(super) fn states_of(log: u32) -> std::ops::RangeInclusive<(u32, u64, u64, u64)> {
    (log, 0, 0, 0)..=(log, u64::MAX, u64::MAX, u64::MAX)
}
