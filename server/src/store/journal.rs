//! The journal of kills: kills that this node, or a peer, accepted while the store was away, until they are in the log.
//!
//! A text file of lines, each `checksum json`, where the checksum is the first 16 hexadecimal digits of the JSON's SHA-256.
//! Every line is synced before the kill is answered. A torn last line was never answered and is cut off; damage before it is
//! refused, because a kill could be lost in it. When nothing is pending the file is emptied.
//!
//! A kill that the disk does not take is kept in memory and written as soon as the disk takes it again. Readers never wait for the
//! disk.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
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
    /// A key was revoked by an entry that the re-seeded system log lacks; the log has yet to record it again.
    KeyRevoked { key: String },
    /// The log has these revocations.
    RevocationsMerged { keys: Vec<String> },
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
    /// Held while the disk is written.
    disk: Mutex<Disk>,
    /// Held for moments only.
    pending: Mutex<Pending>,
}

#[derive(Debug, Default)]
struct Disk {
    /// `None` for a journal in memory.
    file: Option<File>,
    #[cfg(test)]
    is_full: bool,
}

/// What the log has not settled yet.
#[derive(Debug, Clone, Default)]
struct Pending {
    kills: BTreeMap<KillId, PendingKill>,
    revoked: BTreeSet<String>,
    /// Kills that are only in memory.
    unwritten: BTreeSet<KillId>,
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
        let disk = Disk {
            file: Some(file),
            #[cfg(test)]
            is_full: false,
        };
        Ok(Self::over(path.to_owned(), disk, pending))
    }

    /// A journal in memory.
    #[cfg(test)]
    pub fn in_memory() -> Self {
        Self::over(PathBuf::new(), Disk::default(), Pending::default())
    }

    fn over(path: PathBuf, disk: Disk, pending: Pending) -> Self {
        Self {
            inner: Arc::new(Inner {
                path,
                disk: Mutex::new(disk),
                pending: Mutex::new(pending),
            }),
        }
    }

    /// Keeps a kill in memory, to be written by the next call that writes. Never waits for the disk.
    pub fn hold(&self, kill: &PendingKill) {
        let mut pending = self.inner.pending.lock();
        if !pending.kills.contains_key(&kill.kill.id) {
            pending.unwritten.insert(kill.kill.id.clone());
            pending.kills.insert(kill.kill.id.clone(), kill.clone());
        }
    }

    /// Writes a record and syncs it, behind the kills that could not be written before. Blocks on the disk.
    ///
    /// [`pending`](Self::pending) reflects it only if this succeeds; a kill is pending all the same.
    pub fn append(&self, record: &JournalRecord) -> Result<(), JournalError> {
        if let JournalRecord::Taken {
            environment,
            kill,
            node,
            answered,
        } = record
        {
            self.hold(&PendingKill {
                environment: environment.clone(),
                kill: kill.clone(),
                node: node.clone(),
                withdrawn: false,
                answered: answered.clone(),
            });
            return self.write_rest();
        }
        let mut disk = self.inner.disk.lock();
        self.write_unwritten(&mut disk)?;
        self.write(&mut disk, record)
    }

    /// Writes the kills that are only in memory. Blocks on the disk.
    pub fn write_rest(&self) -> Result<(), JournalError> {
        let mut disk = self.inner.disk.lock();
        self.write_unwritten(&mut disk)
    }

    fn write_unwritten(&self, disk: &mut Disk) -> Result<(), JournalError> {
        while let Some(kill) = self.first_unwritten() {
            let id = kill.kill.id.clone();
            let record = JournalRecord::Taken {
                environment: kill.environment,
                kill: kill.kill,
                node: kill.node,
                answered: kill.answered,
            };
            self.write(disk, &record)?;
            self.inner.pending.lock().unwritten.remove(&id);
        }
        Ok(())
    }

    fn first_unwritten(&self) -> Option<PendingKill> {
        let pending = self.inner.pending.lock();
        let id = pending.unwritten.first()?;
        pending.kills.get(id).cloned()
    }

    fn write(&self, disk: &mut Disk, record: &JournalRecord) -> Result<(), JournalError> {
        let io = |source| JournalError::Io {
            path: self.inner.path.clone(),
            source,
        };
        #[cfg(test)]
        if disk.is_full {
            return Err(io(io::ErrorKind::StorageFull.into()));
        }
        let json = serde_json::to_string(record)?;
        if let Some(file) = &mut disk.file {
            let end = file.stream_position().map_err(io)?;
            let line = line_of(&json);
            if let Err(error) = file.write_all(line.as_bytes()).and_then(|()| file.sync_data()) {
                // Half a line must not stand before the next one.
                let _ = file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end)));
                return Err(io(error));
            }
        }
        let is_empty = {
            let mut pending = self.inner.pending.lock();
            follow(&mut pending, record.clone());
            pending.kills.is_empty() && pending.revoked.is_empty()
        };
        if is_empty && let Some(file) = &mut disk.file {
            file.set_len(0)
                .and_then(|()| file.seek(SeekFrom::Start(0)))
                .and_then(|_| file.sync_data())
                .map_err(io)?;
        }
        Ok(())
    }

    /// Kills that the log has not settled yet, by id.
    pub fn pending(&self) -> Vec<PendingKill> {
        self.inner.pending.lock().kills.values().cloned().collect()
    }

    /// Keys whose revocation the system log has to record again.
    pub fn revoked(&self) -> BTreeSet<String> {
        self.inner.pending.lock().revoked.clone()
    }

    /// Whether the kill is pending here and on the disk.
    pub fn holds(&self, id: &KillId) -> bool {
        let pending = self.inner.pending.lock();
        pending.kills.contains_key(id) && !pending.unwritten.contains(id)
    }

    /// Whether there are kills that only memory holds.
    pub fn has_unwritten(&self) -> bool {
        !self.inner.pending.lock().unwritten.is_empty()
    }

    /// The node that accepted the kill, if it is pending here.
    pub fn taker(&self, id: &KillId) -> Option<String> {
        self.inner.pending.lock().kills.get(id).map(|pending| pending.node.clone())
    }

    /// From now on the disk takes nothing, or everything again.
    #[cfg(test)]
    pub(crate) fn fill_disk(&self, is_full: bool) {
        self.inner.disk.lock().is_full = is_full;
    }

    /// What a restart would find: what only memory held is gone.
    #[cfg(test)]
    pub(crate) fn crashed(&self) -> Self {
        let mut pending = self.inner.pending.lock().clone();
        for id in std::mem::take(&mut pending.unwritten) {
            pending.kills.remove(&id);
        }
        Self::over(self.inner.path.clone(), Disk::default(), pending)
    }
}

/// The kills that are pending after these lines, and how many bytes of them are whole.
fn replay(path: &Path, bytes: &[u8]) -> Result<(Pending, usize), JournalError> {
    let (mut pending, mut whole) = (Pending::default(), 0);
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

/// How many kills are pending after the lines of a journal, and how many bytes of it are whole.
///
/// # Errors
/// A line before the last one is damaged.
pub fn pending_after(bytes: &[u8]) -> Result<(usize, usize), JournalError> {
    let (pending, whole) = replay(Path::new("journal"), bytes)?;
    Ok((pending.kills.len(), whole))
}

/// A line with this JSON.
pub fn line_of(json: &str) -> String {
    format!("{} {json}\n", checksum(json))
}

fn checksum(json: &str) -> String {
    let mut digits = Digest::of([json.as_bytes()]).to_string();
    digits.truncate(CHECKSUM);
    digits
}

fn follow(pending: &mut Pending, record: JournalRecord) {
    match record {
        JournalRecord::Taken {
            environment,
            kill,
            node,
            answered,
        } => {
            let id = kill.id.clone();
            pending.kills.entry(id).or_insert(PendingKill {
                environment,
                kill,
                node,
                withdrawn: false,
                answered,
            });
        }
        JournalRecord::Withdrawn { id, .. } => {
            if let Some(pending) = pending.kills.get_mut(&id) {
                pending.withdrawn = true;
            }
        }
        JournalRecord::Merged { ids } => {
            for id in &ids {
                pending.kills.remove(id);
                pending.unwritten.remove(id);
            }
        }
        JournalRecord::KeyRevoked { key } => _ = pending.revoked.insert(key),
        JournalRecord::RevocationsMerged { keys } => pending.revoked.retain(|key| !keys.contains(key)),
    }
}
