//! The disk cache: the last state, for a start without the server.
//!
//! One file per server and environment with two lines of JSON: a header, and the snapshot frame with the provisional kills as its
//! overlay. The file is replaced as a whole (a temporary file is synced and renamed), so a crash leaves the old one or the new one. A
//! reader verifies its digest and its content hash.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use ripcord_proto::Snapshot;
use ripcord_proto::digest::Digest;
use ripcord_proto::frame::{Overlay, ServerFrame, encode_snapshot};
use ripcord_proto::snapshot::ContentHash;

use super::protocol::{HeldState, Restored};

/// The version of the file format. Files of a different version are not read.
const FORMAT_VERSION: u32 = 1;

/// A state with what a restart needs.
#[derive(Debug, Clone)]
pub(crate) struct CacheEntry {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) hash: ContentHash,
    pub(crate) overlay: Overlay,
    pub(crate) last_fresh: Option<Timestamp>,
}

/// The first line.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct CacheHeader {
    ripcord_cache: u32,
    written: Timestamp,
    /// When the last heartbeat marked fresh arrived. Leases are counted from then.
    last_fresh: Option<Timestamp>,
    /// Of the second line.
    digest: Digest,
}

/// Why a cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the file is damaged: {0}")]
    Damaged(String),
}

/// One cache file.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    path: PathBuf,
    temporary: PathBuf,
}

impl Cache {
    /// The file for the state of `owner` in `directory`. `process` distinguishes the processes that share the directory.
    pub(crate) fn new(directory: &Path, owner: &str, process: &str) -> Self {
        let name: String = Digest::of([owner.as_bytes()]).to_string().chars().take(24).collect();
        Self {
            path: directory.join(format!("ripcord-{name}.json")),
            temporary: directory.join(format!(".ripcord-{name}.{process}")),
        }
    }

    /// Reads the file; `None` if there is none.
    pub(crate) fn load(&self) -> Result<Option<(Restored, Timestamp)>, CacheError> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let damaged = |why: &str| CacheError::Damaged(why.to_owned());
        let text = String::from_utf8(text).map_err(|_| damaged("it is not UTF-8"))?;
        let (first, frame) = text.split_once('\n').ok_or_else(|| damaged("it ends early"))?;
        let about: CacheHeader = serde_json::from_str(first).map_err(|error| CacheError::Damaged(error.to_string()))?;
        if about.ripcord_cache != FORMAT_VERSION {
            return Err(damaged("it has a different format version"));
        }
        if Digest::of([frame.as_bytes()]) != about.digest {
            return Err(damaged("its digest does not match"));
        }
        let frame = ServerFrame::parse(frame).map_err(|faults| CacheError::Damaged(faults.to_string()))?;
        let ServerFrame::Snapshot(snapshot, hash, overlay) = frame else {
            return Err(damaged("it contains no snapshot"));
        };
        if !snapshot.has_hash(&hash) {
            return Err(damaged("its content hash does not match"));
        }
        let state = HeldState {
            snapshot: Arc::new(*snapshot),
            hash,
        };
        let restored = Restored {
            state,
            overlay,
            last_fresh: about.last_fresh,
        };
        Ok(Some((restored, about.written)))
    }

    /// Replaces the file. It blocks on the disk.
    pub(crate) fn store(&self, image: &CacheEntry, written: Timestamp) -> Result<(), CacheError> {
        let encoded = |error: serde_json::Error| CacheError::Damaged(error.to_string());
        let frame = encode_snapshot(&image.snapshot, &image.hash, &image.overlay).map_err(encoded)?;
        let about = CacheHeader {
            ripcord_cache: FORMAT_VERSION,
            written,
            last_fresh: image.last_fresh,
            digest: Digest::of([frame.as_bytes()]),
        };
        let about = serde_json::to_string(&about).map_err(encoded)?;
        let replaced = self.replace(&about, &frame);
        if replaced.is_err() {
            // The rest of the attempt is of no use.
            let _ = fs::remove_file(&self.temporary);
        }
        Ok(replaced?)
    }

    fn replace(&self, about: &str, frame: &str) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let mut file = private(&self.temporary)?;
        file.write_all(about.as_bytes())?;
        file.write_all(b"\n")?;
        file.write_all(frame.as_bytes())?;
        file.sync_all()?;
        fs::rename(&self.temporary, &self.path)?;
        // The rename is durable only after the directory is synced, which not every file system supports.
        File::open(directory).and_then(|directory| directory.sync_all()).or(Ok(()))
    }
}

/// A file that only its owner can read: rules may name customers.
fn private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests;
