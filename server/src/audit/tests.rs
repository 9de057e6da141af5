use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use ripcord_proto::change::Change;
use ripcord_proto::commit::Sealed;
use ripcord_proto::digest::Digest;
use ripcord_proto::{Epoch, FlagKey, Position, Revision, Sequence};

use super::{at, newest_first, verify};
use crate::store::fixture::next_entry;
use crate::store::memory::MemoryStore;
use crate::store::{Append, Head, LogName, Store};

fn log() -> LogName {
    LogName::parse("production").unwrap()
}

/// Entries 1 to `count`, of which every third is a record without a revision.
async fn filled(count: u64) -> MemoryStore {
    let store = MemoryStore::new();
    let mut head = Head::START;
    let mut entries = Vec::new();
    for sequence in 1..=count {
        let revision = (!sequence.is_multiple_of(3)).then(|| head.revision.next());
        let changes = vec![Change::DeleteFlag(FlagKey::new("a").unwrap())];
        let sealed = next_entry(&head, Epoch(1), revision, changes);
        head = head.after(&sealed);
        entries.push(sealed);
    }
    let append = Append {
        log: log(),
        expected: Head::START,
        entries,
    };
    store.append(append).await.unwrap();
    store
}

#[tokio::test]
async fn every_revision_is_found_and_none_that_was_not_made() {
    for count in [0, 1, 2, 3, 10, 40] {
        let store = filled(count).await;
        let made: BTreeMap<u64, u64> = (1..=count)
            .filter(|sequence| !sequence.is_multiple_of(3))
            .zip(1..)
            .map(|(sequence, revision)| (revision, sequence))
            .collect();
        for revision in 0..=count + 1 {
            let found = at(&store, &log(), Sequence(count), Position::new(1, revision)).await.unwrap();
            let found = found.map(|(previous, entry)| {
                assert_eq!(entry.digest, Digest::of([previous.bytes().as_slice(), entry.body.as_bytes()]));
                entry.commit.sequence.0
            });
            assert_eq!(found, made.get(&revision).copied(), "revision {revision} of {count} entries");
        }
    }
}

#[tokio::test]
async fn pages_go_from_the_newest_to_the_first_and_miss_nothing() {
    let store = filled(20).await;
    let (mut seen, mut before) = (Vec::new(), Sequence(21));
    for _ in 0..20 {
        let page = newest_first(&store, &log(), before, 4, |entry| entry.commit.revision.is_some()).await.unwrap();
        assert!(page.entries.len() <= 4);
        seen.extend(page.entries.iter().filter_map(|entry| entry.commit.revision));
        match page.next {
            Some(next) => before = next,
            None => break,
        }
    }
    let all: Vec<Revision> = (1..=14).rev().map(Revision).collect();
    assert_eq!(seen, all);
}

#[tokio::test(start_paused = true)]
async fn a_whole_log_is_proven_and_a_short_one_is_not() {
    let store = filled(700).await;
    let report = verify(&store, &log(), Sequence(700)).await;
    assert_eq!((report.entries, &report.fault), (700, &None));
    let report = verify(&store, &log(), Sequence(701)).await;
    assert!(report.fault.unwrap().contains("ends after entry 700"));
}

/// A store whose entry 5 has been altered, and which does not say so.
#[derive(Debug)]
struct Altered(MemoryStore);

impl Store for Altered {
    fn read<'a>(&'a self, log: &'a LogName, after: Sequence, limit: usize) -> BoxFuture<'a, Result<Vec<Sealed>, crate::store::StoreError>> {
        Box::pin(async move {
            let mut entries = self.0.read(log, after, limit).await?;
            if let Some(entry) = entries.iter_mut().find(|entry| entry.commit.sequence == Sequence(5)) {
                entry.body = entry.body.replace("node test", "node best").into();
            }
            Ok(entries)
        })
    }

    fn load<'a>(&'a self, log: &'a LogName) -> BoxFuture<'a, Result<crate::store::Loaded, crate::store::StoreError>> {
        self.0.load(log)
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), crate::store::AppendError>> {
        self.0.append(append)
    }

    fn state_before<'a>(&'a self, log: &'a LogName, at: Position) -> BoxFuture<'a, Result<Option<crate::store::state::StoredState>, crate::store::StoreError>> {
        self.0.state_before(log, at)
    }

    fn keep_state<'a>(&'a self, log: &'a LogName, state: crate::store::state::StoredState) -> BoxFuture<'a, Result<(), crate::store::StoreError>> {
        self.0.keep_state(log, state)
    }

    fn settle<'a>(&'a self, append: &'a Append) -> BoxFuture<'a, Result<crate::store::Settled, crate::store::StoreError>> {
        self.0.settle(append)
    }

    fn logs(&self) -> BoxFuture<'_, Result<Vec<LogName>, crate::store::StoreError>> {
        self.0.logs()
    }

    fn install(&self, contents: Vec<crate::store::Contents>) -> BoxFuture<'_, Result<(), crate::store::StoreError>> {
        self.0.install(contents)
    }

    fn drop_log<'a>(&'a self, log: &'a LogName) -> BoxFuture<'a, Result<(), crate::store::StoreError>> {
        self.0.drop_log(log)
    }

    fn health(&self) -> tokio::sync::watch::Receiver<crate::store::StoreHealth> {
        self.0.health()
    }

    fn feed(&self) -> Option<tokio::sync::mpsc::Receiver<crate::store::FeedEvent>> {
        self.0.feed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), crate::store::StoreError>> {
        self.0.close()
    }
}

#[tokio::test]
async fn an_altered_entry_is_found_even_if_the_store_says_that_all_is_well() {
    let store = Altered(filled(9).await);
    let report = verify(&store, &log(), Sequence(9)).await;
    assert_eq!(report.entries, 4);
    assert!(report.fault.unwrap().starts_with("entry 5 does not follow"));
}
