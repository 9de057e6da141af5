//! Opening the store that the settings name.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::config::{ServeConfig, StoreChoice};
use super::data_dir::DataDir;
use crate::clock::{Clock, SystemClock};
use crate::store::backup::{Backup, BackupError};
use crate::store::embedded::{EmbeddedStore, Flush};
use crate::store::redis::{RedisConfig, RedisStore};
use crate::store::{Store, StoreError};
use crate::tasks;

/// An opened store.
#[derive(Debug)]
pub(super) struct OpenedStore {
    pub(super) store: Arc<dyn Store>,
    /// The same store if it is Redis: nodes can query each other through it.
    pub(super) redis: Option<Arc<RedisStore>>,
}

/// Opens the store, and restores a backup into it if the settings name one.
pub(super) async fn open(config: &ServeConfig, data_dir: &DataDir, node: &str) -> Result<OpenedStore, StoreError> {
    let directory = data_dir.path().to_owned();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (store, redis): (Arc<dyn Store>, _) = match &config.store {
        StoreChoice::Embedded => {
            let opened = tasks::blocking(move || EmbeddedStore::open(&directory, Flush::EachCommit, clock)).await;
            (Arc::new(opened.map_err(|error| StoreError::Unavailable(error.to_string()))??), None)
        }
        StoreChoice::Redis(url) => {
            let (url, node) = (url.expose().to_owned(), node.to_owned());
            let redis = Arc::new(RedisStore::open(RedisConfig { url, directory, node, clock }).await?);
            (Arc::clone(&redis) as Arc<dyn Store>, Some(redis))
        }
    };
    if let Some(file) = &config.restore_backup {
        restore(file, &*store, node).await?;
    }
    Ok(OpenedStore { store, redis })
}

/// Replaces the contents of the store with the backup in `file`.
async fn restore(file: &Path, store: &dyn Store, node: &str) -> Result<(), StoreError> {
    let open = |source| StoreError::File { path: file.to_owned(), source };
    let backup = Backup::read(File::open(file).map_err(open)?);
    let restored = match backup {
        Ok(backup) => backup.restore(store, node, SystemClock.now()).await,
        Err(error) => Err(error),
    };
    restored.map_err(|error| {
        if let BackupError::Store(error) = error {
            return error;
        }
        StoreError::Corrupt(format!("{}: {error}", file.display()))
    })?;
    tracing::warn!(file = %file.display(), "backup restored in a new epoch; remove --restore-backup before the next start");
    Ok(())
}
