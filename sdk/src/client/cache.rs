//! The disk cache: the last state, for a start without the server.
//!
//! One file for each server and environment, two lines of JSON: what is to be known about it, and the snapshot frame with the
//! provisional kills as its overlay. It is replaced as a whole (a file beside it, synced, then renamed), so that a crash leaves
//! the old one or the new one, and whoever reads it proves its digest and its content hash first.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use ripcord_proto::Snapshot;
use ripcord_proto::digest::Digest;
use ripcord_proto::frame::{Overlay, ServerFrame, encode_snapshot};
use ripcord_proto::snapshot::ContentHash;

use super::protocol::{Held, Restored};

/// The form of the file; another form is not read.
const FORM: u32 = 1;

/// What is written.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) hash: ContentHash,
    pub(crate) overlay: Overlay,
    pub(crate) last_fresh: Option<Timestamp>,
}

/// The first line.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct About {
    ripcord_cache: u32,
    written: Timestamp,
    /// When a heartbeat marked fresh had come last; leases are counted from there.
    last_fresh: Option<Timestamp>,
    /// Over the second line.
    digest: Digest,
}

/// Why a cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    /// The disk refuses.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is not what was written.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// One cache file.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    path: PathBuf,
    beside: PathBuf,
}

impl Cache {
    /// The file for `whose` state in `directory`. `process` tells the processes apart that share the directory.
    pub(crate) fn new(directory: &Path, whose: &str, process: &str) -> Self {
        let name: String = Digest::of([whose.as_bytes()]).to_string().chars().take(24).collect();
        Self {
            path: directory.join(format!("ripcord-{name}.json")),
            beside: directory.join(format!(".ripcord-{name}.{process}")),
        }
    }

    /// Reads it; `None` where there is none.
    pub(crate) fn load(&self) -> Result<Option<(Restored, Timestamp)>, CacheError> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let damaged = |why: &str| CacheError::Damaged(why.to_owned());
        let text = String::from_utf8(text).map_err(|_| damaged("it is not UTF-8"))?;
        let (first, frame) = text.split_once('\n').ok_or_else(|| damaged("it ends early"))?;
        let about: About = serde_json::from_str(first).map_err(|error| CacheError::Damaged(error.to_string()))?;
        if about.ripcord_cache != FORM {
            return Err(damaged("it was written in another form"));
        }
        if Digest::of([frame.as_bytes()]) != about.digest {
            return Err(damaged("its digest does not agree"));
        }
        let frame = ServerFrame::parse(frame).map_err(|faults| CacheError::Damaged(faults.to_string()))?;
        let ServerFrame::Snapshot(snapshot, hash, overlay) = frame else {
            return Err(damaged("it holds no snapshot"));
        };
        if snapshot.content_hash() != hash {
            return Err(damaged("its content hash does not agree"));
        }
        let held = Held {
            snapshot: Arc::new(*snapshot),
            hash,
        };
        let restored = Restored {
            held,
            overlay,
            last_fresh: about.last_fresh,
        };
        Ok(Some((restored, about.written)))
    }

    /// Replaces it. Blocks on the disk.
    pub(crate) fn store(&self, image: &Image, written: Timestamp) -> Result<(), CacheError> {
        let encoded = |error: serde_json::Error| CacheError::Damaged(error.to_string());
        let frame = encode_snapshot(&image.snapshot, &image.hash, &image.overlay).map_err(encoded)?;
        let about = About {
            ripcord_cache: FORM,
            written,
            last_fresh: image.last_fresh,
            digest: Digest::of([frame.as_bytes()]),
        };
        let about = serde_json::to_string(&about).map_err(encoded)?;
        let replaced = self.replace(&about, &frame);
        if replaced.is_err() {
            // What is left of the attempt is of no use to anyone.
            let _ = fs::remove_file(&self.beside);
        }
        Ok(replaced?)
    }

    fn replace(&self, about: &str, frame: &str) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let mut file = private(&self.beside)?;
        file.write_all(about.as_bytes())?;
        file.write_all(b"\n")?;
        file.write_all(frame.as_bytes())?;
        file.sync_all()?;
        fs::rename(&self.beside, &self.path)?;
        // The rename itself lasts only once the directory is synced; not every file system can.
        File::open(directory).and_then(|directory| directory.sync_all()).or(Ok(()))
    }
}

/// A file that only its owner reads: rules may name customers.
fn private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests;
