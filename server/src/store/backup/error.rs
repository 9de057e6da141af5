//! Why a backup could not be taken, written, read or restored.

use ripcord_proto::commit::ChainError;

use crate::store::{LogName, StoreError};

/// Why a backup could not be taken, written, read or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the backup cannot be read or written: {0}")]
    File(#[from] std::io::Error),
    #[error("the file is not a backup; it must be written by `ripcord backup`")]
    NoBackup,
    #[error("the backup has format {0}; this version of ripcord reads format 1. Use the version that wrote it")]
    Version(u64),
    #[error("the backup is cut short after line {0}; nothing was restored. Use another copy")]
    Cut(usize),
    #[error("the backup was altered or damaged ({what}); nothing was restored. Use another copy")]
    Damaged { what: String },
    #[error("the log {log} of the backup is damaged: {source}; nothing was restored. Use another copy")]
    Chain { log: LogName, source: ChainError },
    #[error("the backup cannot be encoded: {0}")]
    Encode(#[from] serde_json::Error),
}
