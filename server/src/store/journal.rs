//! The journal of kills: kills that this node, or a peer, accepted while the store was away, until they are in the log.
//!
//! A text file of lines, each `checksum json`, where the checksum is the first 16 hexadecimal digits of the JSON's SHA-256.
//! Every line is synced before the kill is answered. A torn last line was never answered and is cut off; damage before it is
//! refused, because a kill could be lost in it. When nothing is pending the file is emptied.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use ripcord_proto::commit::Recorded;
use ripcord_proto::digest::Digest;
use ripcord_proto::{EnvironmentKey, Kill, KillId};

/// Hexadecimal digits of a line's checksum.
const CHECKSUM: usize = 16;

/// One line.
#[expect(clippy::large_enum_variant, reason = "records are written one at a time and never collected")]
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalRecord {
    /// A kill took effect without the store.
    Taken {
        environment: EnvironmentKey,
        kill: Kill,
        /// The node that accepted it.
        node: String,
        /// The idempotent call that it answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answered: Option<Recorded>,
    },
    /// A kill was withdrawn; the log has yet to record its end.
    Withdrawn { environment: EnvironmentKey, id: KillId },
    /// The log has these kills or their ends: nothing is left to do.
    Merged { ids: Vec<KillId> },
}

/// A kill that is not settled in the log yet.
#[derive(Debug, Clone)]
pub struct PendingKill {
    pub environment: EnvironmentKey,
    pub kill: Kill,
    /// The node that accepted it.
    pub node: String,
    /// Whether it was withdrawn, so that only its end has to be logged.
    pub withdrawn: bool,
    /// The idempotent call that it answered.
    pub answered: Option<Recorded>,
}

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    /// A line before the last one is damaged.
    #[error(
        "{path}: line {line} is damaged and may contain a kill. Inspect the file. To start without it, move it away and repeat the kills that must stay in force"
    )]
    Damaged {
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    #[error("a record cannot be encoded: {0}")]
    Encode(#[from] serde_json::Error),
}

/// The journal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    state: Mutex<JournalState>,
}

#[derive(Debug)]
struct JournalState {
    /// `None` for a journal in memory.
    file: Option<File>,
    pending: BTreeMap<KillId, PendingKill>,
}

impl Journal {
    /// Opens the journal at `path`, creates it if it is missing, and reads the pending kills.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io { path: path.to_owned(), source };
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let (pending, whole) = replay(path, &bytes)?;
        if whole < bytes.len() {
            tracing::warn!(path = %path.display(), "removed a torn last line of the journal; the kill in it was never answered");
            file.set_len(whole as u64).and_then(|()| file.sync_all()).map_err(io)?;
        }
        file.seek(SeekFrom::End(0)).map_err(io)?;
        let state = Mutex::new(JournalState { file: Some(file), pending });
        Ok(Self {
            inner: Arc::new(Inner { path: path.to_owned(), state }),
        })
    }

    /// A journal in memory.
    #[cfg(test)]
    pub fn in_memory() -> Self {
        let state = Mutex::new(JournalState {
            file: None,
            pending: BTreeMap::new(),
        });
        Self {
            inner: Arc::new(Inner { path: PathBuf::new(), state }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, JournalState> {
        self.inner.state.lock()
    }

    /// Writes a record and syncs it. [`pending`](Self::pending) reflects it only if this succeeds. Blocks on the disk.
    pub fn append(&self, record: &JournalRecord) -> Result<(), JournalError> {
        let io = |source| JournalError::Io {
            path: self.inner.path.clone(),
            source,
        };
        let json = serde_json::to_string(record)?;
        let mut state = self.lock();
        if let Some(file) = &mut state.file {
            let end = file.stream_position().map_err(io)?;
            let line = format!("{} {json}\n", checksum(&json));
            if let Err(error) = file.write_all(line.as_bytes()).and_then(|()| file.sync_data()) {
                // Half a line must not stand before the next one.
                let _ = file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end)));
                return Err(io(error));
            }
        }
        follow(&mut state.pending, record.clone());
        if state.pending.is_empty()
            && let Some(file) = &mut state.file
        {
            file.set_len(0)
                .and_then(|()| file.seek(SeekFrom::Start(0)))
                .and_then(|_| file.sync_data())
                .map_err(io)?;
        }
        Ok(())
    }

    /// Kills that the log has not settled yet, by id.
    pub fn pending(&self) -> Vec<PendingKill> {
        self.lock().pending.values().cloned().collect()
    }

    /// Whether the kill is pending here.
    pub fn holds(&self, id: &KillId) -> bool {
        self.lock().pending.contains_key(id)
    }

    /// Whether the kill is pending here and `node` accepted it.
    pub fn taken_by(&self, id: &KillId, node: &str) -> bool {
        self.lock().pending.get(id).is_some_and(|pending| pending.node == node)
    }
}

/// The kills that are pending after these lines, and how many bytes of them are whole.
fn replay(path: &Path, bytes: &[u8]) -> Result<(BTreeMap<KillId, PendingKill>, usize), JournalError> {
    let (mut pending, mut whole) = (BTreeMap::new(), 0);
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        match read(line) {
            Some(record) => follow(&mut pending, record),
            // A line is written in one go, its end last: a torn one has no end, and one with an end is damaged.
            None if !line.ends_with(b"\n") => return Ok((pending, whole)),
            None => {
                return Err(JournalError::Damaged {
                    path: path.to_owned(),
                    line: index + 1,
                });
            }
        }
        whole += line.len();
    }
    Ok((pending, whole))
}

fn read(line: &[u8]) -> Option<JournalRecord> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (stated, json) = line.split_once(' ')?;
    if stated == checksum(json) { serde_json::from_str(json).ok() } else { None }
}

fn checksum(json: &str) -> String {
    let mut digits = Digest::of([json.as_bytes()]).to_string();
    digits.truncate(CHECKSUM);
    digits
}

fn follow(pending: &mut BTreeMap<KillId, PendingKill>, record: JournalRecord) {
    match record {
        JournalRecord::Taken {
            environment,
            kill,
            node,
            answered,
        } => {
            let id = kill.id.clone();
            pending.entry(id).or_insert(PendingKill {
                environment,
                kill,
                node,
                withdrawn: false,
                answered,
            });
        }
        JournalRecord::Withdrawn { id, .. } => {
            if let Some(pending) = pending.get_mut(&id) {
                pending.withdrawn = true;
            }
        }
        JournalRecord::Merged { ids } => ids.iter().for_each(|id| drop(pending.remove(id))),
    }
}
