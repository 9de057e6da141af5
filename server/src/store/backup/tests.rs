use std::sync::Arc;

use ripcord_proto::{Epoch, Position, Revision};

use super::{Backup, BackupError, RestoreDecision, state_token};
use crate::clock::{Clock as _, SystemClock};
use crate::store::contract::{Writer, digests, log, state_of};
use crate::store::embedded::{EmbeddedStore, Flush};
use crate::store::memory::MemoryStore;
use crate::store::{LogName, Store};

async fn filled() -> (MemoryStore, Writer, Writer) {
    let store = MemoryStore::new();
    let (mut production, mut system) = (Writer::new("production"), Writer::new("system"));
    production.kill("checkout");
    production.kill("search");
    production.restore_first();
    let expected = crate::store::Head::START;
    let entries = production.entries.clone();
    let first = crate::store::Append {
        log: production.log.clone(),
        expected,
        entries,
    };
    store.append(first).await.unwrap();
    store.append(production.append(20)).await.unwrap();
    store.append(system.append(3)).await.unwrap();
    (store, production, system)
}

async fn written() -> (Vec<u8>, Writer, Writer) {
    let (store, production, system) = filled().await;
    let mut bytes = Vec::new();
    Backup::take(&store, SystemClock.now()).await.unwrap().write(&mut bytes).unwrap();
    (bytes, production, system)
}

#[tokio::test]
async fn a_backup_restored_elsewhere_goes_on_in_a_new_epoch() {
    let (bytes, production, system) = written().await;
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path(), Flush::EachCommit, Arc::new(SystemClock)).unwrap();
    Backup::read(bytes.as_slice())
        .unwrap()
        .restore(&store, "test", SystemClock.now())
        .await
        .unwrap();
    for writer in [&production, &system] {
        let loaded = store.load(&writer.log).await.unwrap();
        assert_eq!(loaded.head.epoch, Epoch(2));
        assert_eq!(loaded.head.revision, writer.head.revision, "what flags answer is the same");
        let entries = store.read(&writer.log, ripcord_proto::Sequence(0), usize::MAX).await.unwrap();
        assert_eq!(digests(&entries[..entries.len() - 1]), digests(&writer.entries));
    }
    let loaded = store.load(&production.log).await.unwrap();
    assert!(loaded.tail.len() <= 1, "the state came with it");
    let state = state_of(&loaded, "production");
    assert_eq!(state.snapshot.content_hash(), production.state().snapshot.content_hash());
    assert_eq!(state.ended_kills, production.state().ended_kills);
    assert_eq!(state.head.position(), Position::new(2, 23));
}

#[tokio::test]
async fn a_restore_outbids_the_epoch_that_it_replaces_and_removes_what_it_does_not_hold() {
    let (bytes, production, _) = written().await;
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path(), Flush::EachCommit, Arc::new(SystemClock)).unwrap();
    let mut staging = Writer::new("staging");
    store.append(staging.append(2)).await.unwrap();
    for epoch in 2..5 {
        Backup::read(bytes.as_slice())
            .unwrap()
            .restore(&store, "test", SystemClock.now())
            .await
            .unwrap();
        assert_eq!(store.load(&production.log).await.unwrap().head.epoch, Epoch(epoch));
    }
    assert_eq!(store.logs().await.unwrap().len(), 2);
    assert_eq!(store.load(&log("staging")).await.unwrap().head.revision, Revision(0));
}

#[tokio::test]
async fn a_backup_cut_anywhere_is_refused() {
    let (bytes, ..) = written().await;
    let lines = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(place, _)| place + 1);
    let cuts = lines.clone().chain((0..bytes.len()).step_by(37)).filter(|cut| *cut < bytes.len());
    for cut in cuts {
        let refused = Backup::read(&bytes[..cut]).unwrap_err();
        assert!(matches!(refused, BackupError::Cut(_) | BackupError::NoBackup), "cut at {cut}: {refused}");
    }
}

#[tokio::test]
async fn an_altered_backup_is_refused() {
    let (bytes, ..) = written().await;
    for place in (0..bytes.len() - 1).step_by(13) {
        let mut altered = bytes.clone();
        altered[place] ^= 1;
        assert!(Backup::read(altered.as_slice()).is_err(), "byte {place}");
    }
    assert!(matches!(Backup::read(&b"flags:\n  checkout:\n"[..]), Err(BackupError::NoBackup)));
}

#[tokio::test]
async fn the_system_log_comes_last() {
    let (store, ..) = filled().await;
    let backup = Backup::take(&store, SystemClock.now()).await.unwrap();
    assert_eq!(backup.logs.last().unwrap().log, LogName::System);
}

async fn decided(bytes: &[u8], store: &EmbeddedStore) -> RestoreDecision {
    Backup::read(bytes).unwrap().decide(store).await.unwrap()
}

#[tokio::test]
async fn a_backup_is_restored_once_and_never_over_newer_data() {
    let (bytes, production, system) = written().await;
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path(), Flush::EachCommit, Arc::new(SystemClock)).unwrap();
    assert_eq!(decided(&bytes, &store).await, RestoreDecision::Restore, "an empty store loses nothing");
    let mut first = Writer::new("system");
    store.append(first.append(1)).await.unwrap();
    let backup = Backup::read(bytes.as_slice()).unwrap();
    let token = state_token(&store).await.unwrap();
    backup.restore(&store, "test", SystemClock.now()).await.unwrap();
    assert_ne!(state_token(&store).await.unwrap(), token, "it names exactly one state");
    assert_eq!(decided(&bytes, &store).await, RestoreDecision::Restored);
    let head = store.load(&production.log).await.unwrap().head;
    store.append(Writer::at(&production.log, head).append(1)).await.unwrap();
    assert_eq!(decided(&bytes, &store).await, RestoreDecision::Restored, "commits since then stay");
    let other = tempfile::tempdir().unwrap();
    let other = EmbeddedStore::open(other.path(), Flush::EachCommit, Arc::new(SystemClock)).unwrap();
    for writer in [&production, &system] {
        let entries = writer.entries.clone();
        let log = writer.log.clone();
        let expected = crate::store::Head::START;
        other.append(crate::store::Append { log, expected, entries }).await.unwrap();
    }
    assert_eq!(decided(&bytes, &other).await, RestoreDecision::Restore, "the same data is not newer");
    other.append(Writer::at(&production.log, production.head).append(1)).await.unwrap();
    assert_eq!(decided(&bytes, &other).await, RestoreDecision::Loses(vec![production.log.clone()]));
}
