//! Opening the store that the settings name.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::config::{ServeConfig, StoreChoice};
use super::data_dir::DataDir;
use crate::clock::{Clock, SystemClock};
use crate::store::backup::{self, Backup, BackupError, RestoreDecision};
use crate::store::embedded::{EmbeddedStore, Flush};
use crate::store::journal::Journal;
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
pub(super) async fn open(config: &ServeConfig, data_dir: &DataDir, node: &str, journal: &Journal) -> Result<OpenedStore, StoreError> {
    let directory = data_dir.path().to_owned();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (store, redis): (Arc<dyn Store>, _) = match &config.store {
        StoreChoice::Embedded => {
            let opened = tasks::blocking(move || EmbeddedStore::open(&directory, Flush::EachCommit, clock)).await;
            (Arc::new(opened.map_err(|error| StoreError::Unavailable(error.to_string()))??), None)
        }
        StoreChoice::Redis(url) => {
            let (url, node) = (url.expose().to_owned(), node.to_owned());
            let redis = Arc::new(
                RedisStore::open(RedisConfig {
                    url,
                    directory,
                    node,
                    clock,
                    journal: journal.clone(),
                })
                .await?,
            );
            (Arc::clone(&redis) as Arc<dyn Store>, Some(redis))
        }
    };
    if let Some(file) = &config.restore_backup {
        restore(file, config.restore_backup_over.as_deref(), &*store, node).await?;
    }
    Ok(OpenedStore { store, redis })
}

/// Replaces the contents of the store with the backup in `file`: once, and never newer data unless `over` names exactly that.
async fn restore(file: &Path, over: Option<&str>, store: &dyn Store, node: &str) -> Result<(), StoreError> {
    let said = |error| match error {
        BackupError::Store(error) => error,
        error @ (BackupError::File(_)
        | BackupError::NoBackup
        | BackupError::Version(_)
        | BackupError::Cut(_)
        | BackupError::Damaged { .. }
        | BackupError::Chain { .. }
        | BackupError::Encode(_)) => StoreError::Corrupt(format!("{}: {error}", file.display())),
    };
    let open = |source| StoreError::File { path: file.to_owned(), source };
    let backup = Backup::read(File::open(file).map_err(open)?).map_err(said)?;
    let decision = backup.decide(store).await.map_err(said)?;
    let token = backup::state_token(store).await.map_err(said)?;
    match decision {
        RestoreDecision::Restore => {}
        RestoreDecision::Restored | RestoreDecision::Loses(_) if over == Some(token.as_str()) => {}
        RestoreDecision::Restored => {
            tracing::info!(file = %file.display(), "this backup was restored before; the store stays as it is");
            return Ok(());
        }
        RestoreDecision::Loses(logs) => {
            let logs: Vec<String> = logs.iter().map(ToString::to_string).collect();
            return Err(StoreError::Newer {
                file: file.to_owned(),
                logs: logs.join(", "),
                token,
            });
        }
    }
    backup.restore(store, node, SystemClock.now()).await.map_err(said)?;
    tracing::warn!(file = %file.display(), "backup restored in a new epoch");
    Ok(())
}
