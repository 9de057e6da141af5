//! Why a backup could not be taken, written, read or restored.

use ripcord_proto::commit::ChainError;

use crate::store::{LogName, StoreError};

/// Why a backup could not be taken, written, read or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be read or written.
    #[error("the backup cannot be read or written: {0}")]
    File(#[from] std::io::Error),
    /// It does not begin as a backup does.
    #[error("the file is no backup that `ripcord backup` wrote")]
    NoBackup,
    /// It was written by a version that writes otherwise.
    #[error("the backup has format {0}, and this version of ripcord reads format 1; use the version that wrote it")]
    Version(u64),
    /// Its end is missing.
    #[error("the backup is cut short after line {0}; nothing was restored. Use another copy of it")]
    Cut(usize),
    /// A line cannot be read, or the whole is not what was written.
    #[error("the backup was altered or damaged ({what}); nothing was restored. Use another copy of it")]
    Damaged {
        /// What is wrong.
        what: String,
    },
    /// An entry does not follow the one before it.
    #[error("the log {log} of the backup is damaged: {source}; nothing was restored. Use another copy of it")]
    Chain {
        /// The log.
        log: LogName,
        /// Where and how.
        source: ChainError,
    },
    /// Something cannot be written as JSON.
    #[error("the backup cannot be encoded: {0}")]
    Encode(#[from] serde_json::Error),
}
