//! Orphans: entries that a node had but a re-seeded log lacks. Their kills and revocations are merged ([`crate::kill`]); all of them
//! are saved and listed, never dropped silently and never applied automatically.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use ripcord_proto::commit::{Commit, Sealed};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::snapshot::publisher::Orphaned;
use crate::store::LogName;

/// Orphans that are listed, at most: the newest.
pub const LISTED: usize = 1_000;
/// Bytes of their commits, at most; the file has all.
pub const LISTED_BYTES: usize = 8 * 1024 * 1024;

/// An entry that is no longer part of its log.
#[derive(Debug, Clone)]
pub struct Orphan {
    pub log: LogName,
    /// The entry's commit, as it was.
    pub commit: Arc<Commit>,
    /// When this node found that the log lacks it; `None` if an older version did.
    pub found_at: Option<Timestamp>,
    bytes: usize,
}

/// A line of the file.
#[derive(serde::Serialize, serde::Deserialize)]
struct OrphanLine<'a> {
    #[serde(alias = "environment")]
    log: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found_at: Option<Timestamp>,
    #[serde(borrow)]
    commit: &'a RawValue,
}

/// The orphans that this node knows of. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Orphans {
    file: Option<PathBuf>,
    known: Arc<Mutex<ListedOrphans>>,
}

#[derive(Debug, Default)]
struct ListedOrphans {
    /// The oldest first.
    orphans: VecDeque<Orphan>,
    bytes: usize,
}

impl ListedOrphans {
    fn add(&mut self, orphan: Orphan) {
        self.bytes += orphan.bytes;
        self.orphans.push_back(orphan);
        while self.orphans.len() > LISTED || self.bytes > LISTED_BYTES {
            let Some(oldest) = self.orphans.pop_front() else { return };
            self.bytes -= oldest.bytes;
        }
    }
}

impl Orphans {
    /// Orphans that are also appended to `file`, a JSON object a line. Those in it already are listed too.
    pub fn kept_in(file: PathBuf) -> Self {
        let mut known = ListedOrphans::default();
        match end_of(&file) {
            Ok(text) => text.lines().filter_map(read).for_each(|orphan| known.add(orphan)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::error!(%error, file = %file.display(), "orphaned entries of earlier cannot be read"),
        }
        Self {
            file: Some(file),
            known: Arc::new(Mutex::new(known)),
        }
    }

    /// The orphans of these logs, the newest first.
    pub fn of(&self, logs: &BTreeSet<LogName>) -> Vec<Orphan> {
        let known = self.known.lock();
        known.orphans.iter().rev().filter(|orphan| logs.contains(&orphan.log)).cloned().collect()
    }

    /// Takes orphans until `stop`.
    pub(super) async fn take(self, clock: Arc<dyn Clock>, mut orphaned: mpsc::UnboundedReceiver<Orphaned>, stop: CancellationToken) {
        while let Some(Some(Orphaned { log, entries })) = stop.run_until_cancelled(orphaned.recv()).await {
            self.write_down(&log, &entries, clock.now());
        }
    }

    fn write_down(&self, log: &LogName, entries: &[Sealed], now: Timestamp) {
        tracing::warn!(%log, entries = entries.len(), "the log was re-seeded without these entries; they are listed as orphaned");
        if let Some(file) = &self.file
            && let Err(error) = append(file, log, entries, now)
        {
            tracing::error!(%error, file = %file.display(), "orphaned entries could not be saved");
        }
        let mut known = self.known.lock();
        for entry in entries {
            known.add(Orphan {
                log: log.clone(),
                commit: Arc::clone(&entry.commit),
                found_at: Some(now),
                bytes: entry.body.len(),
            });
        }
    }
}

fn append(file: &Path, log: &LogName, entries: &[Sealed], now: Timestamp) -> io::Result<()> {
    let mut lines = String::new();
    for entry in entries {
        let line = OrphanLine {
            log: log.to_string(),
            found_at: Some(now),
            commit: serde_json::from_str(&entry.body)?,
        };
        lines.push_str(&serde_json::to_string(&line)?);
        lines.push('\n');
    }
    OpenOptions::new().create(true).append(true).open(file)?.write_all(lines.as_bytes())
}

/// The last lines of a file; the first of them may be torn.
fn end_of(file: &Path) -> io::Result<String> {
    let mut file = File::open(file)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LISTED_BYTES as u64)))?;
    let mut bytes = Vec::new();
    file.take(LISTED_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The orphan of a line, unless it is torn.
fn read(line: &str) -> Option<Orphan> {
    let read: OrphanLine<'_> = serde_json::from_str(line).ok()?;
    Some(Orphan {
        log: LogName::parse(&read.log).ok()?,
        commit: Arc::new(Commit::parse(read.commit.get()).ok()?),
        found_at: read.found_at,
        bytes: read.commit.get().len(),
    })
}

#[cfg(test)]
mod tests;
