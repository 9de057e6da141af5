//! The tables of the database and the encoding of their values.

use redb::TableDefinition;
use ripcord_proto::commit::Sealed;
use ripcord_proto::digest::Digest;
use ripcord_proto::{Revision, Sequence};

/// Single numbers, by name.
pub(super) const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");
/// In `META`: the version of this schema.
pub(super) const FORMAT: &str = "format";
/// In `META`: the id that the next new log gets; ids are never used again.
pub(super) const NEXT_LOG: &str = "next_log";
/// In `META`: how often logs were dropped or replaced.
pub(super) const REPLACED: &str = "replaced";
/// The version that this code writes and reads.
pub(super) const VERSION: u64 = 1;

/// The ids of the logs, by name.
pub(super) const LOGS: TableDefinition<'static, &str, u32> = TableDefinition::new("logs");
/// The entries, by log and sequence; see [`StoredEntry`].
pub(super) const ENTRIES: TableDefinition<'static, (u32, u64), &[u8]> = TableDefinition::new("entries");
/// Kept states, by log, epoch, revision and sequence; see `StoredState::encode`.
pub(super) const STATES: TableDefinition<'static, (u32, u64, u64, u64), &[u8]> = TableDefinition::new("states");

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
