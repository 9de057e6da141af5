use std::path::Path;
use std::sync::Arc;

mod crash;
mod damage;
mod migration;
mod write_ahead;

use super::{EmbeddedStore, Flush};
use crate::clock::SystemClock;
use crate::store::contract::{Fresh, Writer, contract};
use crate::store::{Store, StoreError};

struct Embedded {
    store: EmbeddedStore,
    directory: tempfile::TempDir,
}

impl Fresh for Embedded {
    fn store(&self) -> &dyn Store {
        &self.store
    }
}

fn fresh() -> Embedded {
    let directory = tempfile::tempdir().unwrap();
    Embedded {
        store: open(directory.path()).unwrap(),
        directory,
    }
}

fn open(directory: &Path) -> Result<EmbeddedStore, StoreError> {
    EmbeddedStore::open(directory, Flush::EachCommit, Arc::new(SystemClock))
}

fn open_lazily(directory: &Path) -> Result<EmbeddedStore, StoreError> {
    EmbeddedStore::open(directory, Flush::Lazily, Arc::new(SystemClock))
}

/// The data directory as a killed process leaves it.
fn copy(directory: &Path) -> tempfile::TempDir {
    let copied = tempfile::tempdir().unwrap();
    for file in ["ripcord.redb", "ripcord.head", "ripcord.wal"] {
        if directory.join(file).is_file() {
            std::fs::copy(directory.join(file), copied.path().join(file)).unwrap();
        }
    }
    copied
}

contract!(std::future::ready(fresh()));

#[tokio::test]
async fn what_was_committed_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (mut production, mut system) = (Writer::new("production"), Writer::new("system"));
    let store = open(directory.path()).unwrap();
    store.append(production.append(5)).await.unwrap();
    store.append(system.append(2)).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let store = open(directory.path()).unwrap();
    assert_eq!(store.load(&production.log).await.unwrap().head, production.head);
    store.append(production.append(1)).await.unwrap();
    assert_eq!(store.load(&system.log).await.unwrap().head, system.head);
}

#[tokio::test]
async fn a_second_process_is_kept_out() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let refused = open(directory.path()).unwrap_err();
    assert!(matches!(refused, StoreError::InUse(_)), "{refused}");
    store.close().await.unwrap();
    open(directory.path()).unwrap();
}

#[tokio::test]
async fn appends_that_gather_may_follow_one_another() {
    let fresh = fresh();
    let mut writer = Writer::new("production");
    let appends: Vec<_> = (0..20).map(|_| fresh.store.append(writer.append(1))).collect();
    for outcome in futures_util::future::join_all(appends).await {
        outcome.unwrap();
    }
    assert_eq!(fresh.store.load(&writer.log).await.unwrap().head, writer.head);
}
