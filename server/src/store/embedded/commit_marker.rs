//! The commit marker: a file that records after every commit which entry was written last.
//!
//! redb keeps two commits and falls back to the older one if the newer one is damaged, and a damaged last batch of the write-ahead log
//! looks like one that was torn; an acknowledged entry would be lost silently. The marker is a second witness. It is written after a
//! commit is durable and before it is answered, with one `pwrite` and no flush, so it is never ahead of the commits: after a power cut
//! it may be older, which does no harm. If the store lacks the entry that the marker names, the start is refused.
//!
//! Two slots are written in turn, each a line of text with its own digest, so that a torn write leaves the other one.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use ripcord_proto::Sequence;
use ripcord_proto::digest::Digest;

use super::directory::MARKER;
use crate::store::{LogName, StoreError};

/// Bytes of a slot: a line of text, padded with spaces.
const SLOT: usize = 512;

/// The content of the marker when the store was opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MarkerState {
    /// There is no such file: a new directory, or a copy without the marker.
    Missing,
    Unreadable,
    Known(MarkedCommit),
}

/// The last commit.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct MarkedCommit {
    /// Grows by one with each write; the slot with the higher number counts.
    pub(super) count: u64,
    /// How often logs were dropped or replaced; if the database has moved past this, the entry need not exist.
    pub(super) replaced: u64,
    /// The entry; `None` before the first one.
    pub(super) entry: Option<MarkedEntry>,
}

/// An entry of a log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct MarkedEntry {
    pub(super) log: String,
    pub(super) sequence: Sequence,
    pub(super) digest: Digest,
}

/// The open file.
#[derive(Debug)]
pub(super) struct CommitMarker {
    path: PathBuf,
    file: File,
    count: u64,
}

impl CommitMarker {
    /// Reads the marker of `directory`.
    pub(super) fn read(directory: &Path) -> Result<MarkerState, StoreError> {
        let path = directory.join(MARKER);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(MarkerState::Missing),
            Err(source) => return Err(StoreError::File { path, source }),
        };
        let newest = bytes.chunks(SLOT).filter_map(parse).max_by_key(|last| last.count);
        Ok(newest.map_or(MarkerState::Unreadable, MarkerState::Known))
    }

    /// Opens the file for writing; starts an empty one if it could not be read.
    pub(super) fn open(directory: &Path, marker_state: &MarkerState) -> Result<Self, StoreError> {
        let path = directory.join(MARKER);
        let count = match marker_state {
            MarkerState::Missing | MarkerState::Unreadable => 0,
            MarkerState::Known(last) => last.count,
        };
        let file = File::options()
            .create(true)
            .truncate(count == 0)
            .write(true)
            .open(&path)
            .map_err(|source| StoreError::File { path: path.clone(), source })?;
        Ok(Self { path, file, count })
    }

    /// Records the last commit.
    pub(super) fn write(&mut self, replaced: u64, entry: Option<(&LogName, Sequence, Digest)>) -> Result<(), StoreError> {
        self.count += 1;
        let entry = entry.map(|(log, sequence, digest)| MarkedEntry {
            log: log.as_str().to_owned(),
            sequence,
            digest,
        });
        let last = MarkedCommit {
            count: self.count,
            replaced,
            entry,
        };
        let place = (self.count % 2) * SLOT as u64;
        let written = line(&last).and_then(|line| self.file.write_all_at(&line, place));
        written.map_err(|source| self.failed(source))
    }

    /// Flushes it.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: std::io::Error) -> StoreError {
        StoreError::File {
            path: self.path.clone(),
            source,
        }
    }
}

fn line(last: &MarkedCommit) -> std::io::Result<Vec<u8>> {
    let json = serde_json::to_string(last)?;
    let mut line = format!("{json} {}", Digest::of([json.as_bytes()])).into_bytes();
    line.resize(SLOT - 1, b' ');
    line.push(b'\n');
    Ok(line)
}

fn parse(slot: &[u8]) -> Option<MarkedCommit> {
    let line = std::str::from_utf8(slot).ok()?.trim_matches(['\0', ' ', '\n']);
    let (json, digest) = line.rsplit_once(' ')?;
    let digest: Digest = digest.parse().ok()?;
    (Digest::of([json.as_bytes()]) == digest).then(|| serde_json::from_str(json).ok())?
}
