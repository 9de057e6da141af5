//! The data directory and its lock: two servers on one directory would destroy each other's log.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::store::StoreError;

/// The name of the database within the data directory.
pub(super) const DATABASE: &str = "ripcord.redb";
/// The name of the commit marker.
pub(super) const MARKER: &str = "ripcord.head";
/// The name of the write-ahead log, which is there while the store is open.
pub(super) const LOG: &str = "ripcord.wal";
const LOCK: &str = "ripcord.lock";

/// Locks the data directory until it is dropped. The kernel releases the lock whenever the process dies.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Creates `directory` if it is missing, and locks it.
    pub(super) fn take(directory: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(directory).map_err(|source| StoreError::File {
            path: directory.to_owned(),
            source,
        })?;
        let path = directory.join(LOCK);
        let failed = |source| StoreError::File { path: path.clone(), source };
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse(directory.to_owned())),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}
