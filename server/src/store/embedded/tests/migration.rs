//! A data directory from before the write-ahead log, left by a process that was killed.

use std::path::Path;

use ripcord_proto::{Position, Sequence};

use super::{copy, open, open_lazily};
use crate::store::contract::{Writer, log, state_of};
use crate::store::embedded::EmbeddedStore;
use crate::store::{Head, LogName, Store};

/// Format 1, with five revisions of `production`.
fn before_the_log() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("ripcord.redb"), include_bytes!("format_1/ripcord.redb")).unwrap();
    std::fs::write(directory.path().join("ripcord.head"), include_bytes!("format_1/ripcord.head")).unwrap();
    directory
}

async fn has_everything(store: &EmbeddedStore) -> Head {
    let production = store.load(&log("production")).await.unwrap();
    assert_eq!(production.head.position(), Position::new(1, 5));
    let flags = state_of(&production, "production").snapshot.flags;
    let keys: Vec<_> = flags.iter().map(|flag| flag.key().to_string()).collect();
    assert_eq!(keys, ["flag-1", "flag-2", "flag-3", "flag-4", "flag-5"]);
    let system = store.read(&LogName::System, Sequence(0), usize::MAX).await.unwrap();
    assert!(!system.is_empty());
    production.head
}

async fn goes_on(directory: &Path, head: Head) -> Head {
    let store = open(directory).unwrap();
    assert_eq!(store.load(&log("production")).await.unwrap().head, head);
    let mut writer = Writer::at(&log("production"), head);
    store.append(writer.append(2)).await.unwrap();
    assert_eq!(store.load(&log("production")).await.unwrap().head, writer.head);
    writer.head
}

#[tokio::test]
async fn a_directory_from_before_the_log_opens_and_goes_on() {
    let directory = before_the_log();
    let store = open(directory.path()).unwrap();
    let head = has_everything(&store).await;
    // Killed before its first commit, and after it.
    let killed = copy(directory.path());
    drop(store);
    for directory in [directory, killed] {
        let head = goes_on(directory.path(), head).await;
        let head = goes_on(copy(directory.path()).path(), head).await;
        assert_eq!(head.sequence.0, 9);
    }
}

#[tokio::test]
async fn a_mirror_from_before_the_log_stays_what_it_is() {
    let directory = before_the_log();
    let store = open_lazily(directory.path()).unwrap();
    has_everything(&store).await;
    store.close().await.unwrap();
    assert!(!directory.path().join("ripcord.wal").exists());
}
