//! The write-ahead log in front of the database: what it holds is read, survives, and is taken over.

use std::path::Path;

use redb::{Database, ReadableDatabase as _, TableDefinition};
use ripcord_proto::Sequence;
use ripcord_proto::change::Change;

use super::{Embedded, copy, fresh, open, open_lazily};
use crate::store::contract::{Writer, digests, environment, log, one};
use crate::store::embedded::EmbeddedStore;
use crate::store::{Head, LogName, Settled, Store, StoreError};

const DATABASE: &str = "ripcord.redb";
const LOG: &str = "ripcord.wal";

/// The format that the database of a directory states, and how many entries it holds. The store must be closed, or this is a copy.
fn in_the_database(directory: &Path) -> (u64, usize) {
    let copied = copy(directory);
    let database = Database::open(copied.path().join(DATABASE)).unwrap();
    let transaction = database.begin_read().unwrap();
    let meta = transaction.open_table(TableDefinition::<&str, u64>::new("meta")).unwrap();
    let entries = transaction.open_table(TableDefinition::<(u32, u64), &[u8]>::new("entries")).unwrap();
    let format = meta.get("format").unwrap().unwrap().value();
    (format, usize::try_from(redb::ReadableTableMetadata::len(&entries).unwrap()).unwrap())
}

async fn holds(store: &EmbeddedStore, writer: &Writer) {
    let entries = store.read(&writer.log, Sequence(0), usize::MAX).await.unwrap();
    assert_eq!(digests(&entries), digests(&writer.entries));
    assert_eq!(store.load(&writer.log).await.unwrap().head, writer.head);
    assert_eq!(store.heads().await.unwrap()[&writer.log], writer.head);
}

#[tokio::test]
async fn commits_are_in_the_log_before_the_database_has_them_and_survive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let (mut production, mut system) = (Writer::new("production"), Writer::new("system"));
    let store = open(directory.path()).unwrap();
    for _ in 0..5 {
        store.append(production.append(2)).await.unwrap();
        store.append(system.append(1)).await.unwrap();
    }
    let killed = copy(directory.path());
    assert_eq!(in_the_database(killed.path()), (2, 0), "an older program refuses format 2");
    let store = open(killed.path()).unwrap();
    holds(&store, &production).await;
    holds(&store, &system).await;
    // The ids of new logs are the same after the start as the database gives them.
    store.append(production.append(1)).await.unwrap();
    let killed_again = copy(killed.path());
    let store = open(killed_again.path()).unwrap();
    holds(&store, &production).await;
    holds(&store, &system).await;
}

#[tokio::test]
async fn a_store_that_was_closed_is_what_an_older_program_reads() {
    let directory = tempfile::tempdir().unwrap();
    let mut production = Writer::new("production");
    let store = open(directory.path()).unwrap();
    store.append(production.append(3)).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    assert_eq!(in_the_database(directory.path()), (1, 3));
    assert!(!directory.path().join(LOG).exists());
}

#[tokio::test]
async fn the_database_takes_over_after_some_hundred_entries_and_reads_go_on_across_both() {
    let Embedded { store, directory } = fresh();
    let mut writer = Writer::new("production");
    for _ in 0..700 {
        store.append(writer.append(1)).await.unwrap();
    }
    // Answered by the writer, so it has finished what it does between two jobs.
    store.flush().await.unwrap();
    let (format, taken_over) = in_the_database(directory.path());
    assert_eq!(format, 2);
    assert!((1..700).contains(&taken_over), "{taken_over}");
    for (after, limit) in [
        (0, usize::MAX),
        (taken_over - 2, 4),
        (taken_over - 1, 1),
        (taken_over, 3),
        (taken_over + 1, 3),
        (699, 3),
        (700, 3),
    ] {
        let part = store.read(&writer.log, Sequence(after as u64), limit).await.unwrap();
        let expected = &writer.entries[after..(after.saturating_add(limit)).min(700)];
        assert_eq!(digests(&part), digests(expected), "{limit} after {after}");
    }
    store.append(writer.append(1)).await.unwrap();
    holds(&open(copy(directory.path()).path()).unwrap(), &writer).await;
}

#[tokio::test]
async fn an_append_that_the_log_cannot_hold_goes_to_the_database() {
    let Embedded { store, directory } = fresh();
    let (mut writer, mut kills) = (Writer::new("production"), Writer::new("production"));
    store.append(writer.append(2)).await.unwrap();
    let changes: Vec<Change> = (0..25_000)
        .flat_map(|flag| kills.kill(&format!("flag-{flag}")).commit.changes.clone())
        .collect();
    let expected = writer.head;
    let large = writer.seal(changes);
    assert!(large.body.len() > 4 * 1024 * 1024, "{}", large.body.len());
    store.append(one(&writer.log, expected, large)).await.unwrap();
    assert_eq!(in_the_database(directory.path()).1, 3);
    store.append(writer.append(1)).await.unwrap();
    holds(&store, &writer).await;
    holds(&open(copy(directory.path()).path()).unwrap(), &writer).await;
}

#[tokio::test]
async fn a_log_that_ends_and_begins_again_is_never_mixed_up() {
    let Embedded { store, directory } = fresh();
    let (mut system, mut staging) = (Writer::new("system"), Writer::new("staging"));
    for _ in 0..3 {
        store.append(staging.append(2)).await.unwrap();
        let expected = system.head;
        let gone = system.seal(vec![Change::DeleteEnvironment(environment("staging"))]);
        store.append(one(&LogName::System, expected, gone)).await.unwrap();
        assert_eq!(store.load(&staging.log).await.unwrap().head, Head::START);
        staging = Writer::new("staging");
    }
    store.append(staging.append(3)).await.unwrap();
    let killed = open(copy(directory.path()).path()).unwrap();
    holds(&killed, &staging).await;
    holds(&killed, &system).await;
}

#[tokio::test]
async fn what_was_appended_last_is_settled() {
    let Embedded { store, directory: _directory } = fresh();
    let mut writer = Writer::new("production");
    let append = writer.append(1);
    assert_eq!(store.settle(&append).await.unwrap(), Settled::NotWritten);
    store.append(append.clone()).await.unwrap();
    assert_eq!(store.settle(&append).await.unwrap(), Settled::Written);
}

#[tokio::test]
async fn a_mirror_has_no_log_and_takes_over_what_one_holds() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = Writer::new("production");
    let store = open(directory.path()).unwrap();
    store.append(writer.append(3)).await.unwrap();
    let killed = copy(directory.path());
    let mirror = open_lazily(killed.path()).unwrap();
    mirror.append(writer.append(1)).await.unwrap();
    holds(&mirror, &writer).await;
    mirror.close().await.unwrap();
    drop(mirror);
    assert_eq!(in_the_database(killed.path()), (1, 4));
    let store = open(killed.path()).unwrap();
    holds(&store, &writer).await;
}

#[tokio::test]
async fn without_space_for_the_log_commits_go_to_the_database() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join(LOG)).unwrap();
    let mut writer = Writer::new("production");
    let store = open(directory.path()).unwrap();
    store.append(writer.append(3)).await.unwrap();
    holds(&store, &writer).await;
    assert_eq!(in_the_database(directory.path()), (1, 3));
}

#[tokio::test]
async fn a_log_that_is_missing_cut_or_of_another_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = Writer::new("production");
    let store = open(directory.path()).unwrap();
    store.flush().await.unwrap();
    let before = copy(directory.path());
    for _ in 0..5 {
        store.append(writer.append(1)).await.unwrap();
    }
    for harm in [
        |directory: &Path, _: &Path| std::fs::remove_file(directory.join(LOG)).unwrap(),
        |directory: &Path, _: &Path| std::fs::write(directory.join(LOG), "").unwrap(),
        |directory: &Path, _: &Path| std::fs::File::options().write(true).open(directory.join(LOG)).unwrap().set_len(1_000).unwrap(),
        |directory: &Path, before: &Path| _ = std::fs::copy(before.join(LOG), directory.join(LOG)).unwrap(),
    ] {
        let killed = copy(directory.path());
        harm(killed.path(), before.path());
        let refused = open(killed.path()).unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt(_)), "{refused}");
    }
}

#[tokio::test]
async fn a_write_that_was_torn_and_never_answered_is_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = Writer::new("production");
    let store = open(directory.path()).unwrap();
    store.append(writer.append(2)).await.unwrap();
    let before = copy(directory.path());
    let answered = writer.clone();
    store.append(writer.append(1)).await.unwrap();
    let after = std::fs::read(directory.path().join(LOG)).unwrap();
    let earlier = std::fs::read(before.path().join(LOG)).unwrap();
    let written: Vec<usize> = (0..after.len()).filter(|place| after[*place] != earlier[*place]).collect();
    let (first, last) = (written[0], written[written.len() - 1]);
    for cut in (first..=last).step_by(23) {
        let torn = copy(before.path());
        let bytes = [&after[..cut], &earlier[cut..]].concat();
        std::fs::write(torn.path().join(LOG), bytes).unwrap();
        let store = open(torn.path()).unwrap();
        holds(&store, &answered).await;
        // What follows takes its place.
        let mut goes_on = answered.clone();
        store.append(goes_on.append(1)).await.unwrap();
        holds(&open(copy(torn.path()).path()).unwrap(), &goes_on).await;
    }
    assert_eq!(log("production"), writer.log);
}
