//! The test suite that every backend must pass, and a writer that seals entries for it.
//!
//! A backend's tests run the suite with `contract!(fresh())`; the expression is a future of a store and everything that must outlive it.

use std::sync::Arc;

use ripcord_proto::actor::Actor;
use ripcord_proto::change::{Change, EnvironmentRecord, EpochCause};
use ripcord_proto::commit::Sealed;
use ripcord_proto::policy::{Policy, SingletonKey};
use ripcord_proto::record::RecordKey;
use ripcord_proto::settings::{Bucketing, Settings};
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, Epoch, FlagKey, Kill, KillId, KillScope, Position, Revision, Sequence};

use super::fixture::next_entry;
use super::state::StoredState;
use super::{Append, AppendError, Contents, Head, LogName, Settled, Store};

/// A store and what must outlive it.
pub(crate) trait Fresh {
    /// The store.
    fn store(&self) -> &dyn Store;
}

pub(crate) fn environment(name: &str) -> EnvironmentKey {
    EnvironmentKey::new(name).unwrap()
}

pub(crate) fn log(name: &str) -> LogName {
    LogName::parse(name).unwrap()
}

/// Seals consecutive commits of one log.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub(crate) log: LogName,
    pub(crate) head: Head,
    pub(crate) entries: Vec<Sealed>,
    kills: Vec<KillId>,
}

impl Writer {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            log: log(name),
            head: Head::START,
            entries: Vec::new(),
            kills: Vec::new(),
        }
    }

    /// A writer that continues a log.
    pub(crate) fn at(log: &LogName, head: Head) -> Self {
        Self {
            log: log.clone(),
            head,
            entries: Vec::new(),
            kills: Vec::new(),
        }
    }

    /// Seals a commit of these changes. It has no revision if none of them changes what flags evaluate to.
    pub(crate) fn seal(&mut self, changes: Vec<Change>) -> Sealed {
        let reseeded = changes.iter().any(|change| matches!(change, Change::NewEpoch(_)));
        let of_records = |change: &Change| matches!(change, Change::PutRecord(_) | Change::DeleteRecord(_));
        let answers = self.log != LogName::System && !changes.iter().all(of_records) && !reseeded;
        let epoch = if reseeded { self.head.epoch.next() } else { self.head.epoch };
        let revision = answers.then(|| self.head.revision.next());
        let entry = next_entry(&self.head, epoch, revision, changes);
        self.head = self.head.after(&entry);
        self.entries.push(entry.clone());
        entry
    }

    /// Seals the creation of an environment, in the system log.
    pub(crate) fn make(&mut self, name: &str) -> Sealed {
        self.seal(vec![Change::PutEnvironment(EnvironmentRecord {
            key: environment(name),
            description: None,
            created: "2026-11-24T12:00:00Z".parse().unwrap(),
        })])
    }

    pub(crate) fn settings(&mut self) -> Sealed {
        let bucketing = if self.head.sequence.0.is_multiple_of(2) {
            Bucketing::V2
        } else {
            Bucketing::V3
        };
        self.seal(vec![Change::PutSettings(Settings {
            bucketing,
            ..Settings::default()
        })])
    }

    pub(crate) fn kill(&mut self, flag: &str) -> Sealed {
        let id = KillId::from_parts(1_000 + self.head.sequence.0, 7);
        let kill = Kill {
            id: id.clone(),
            scope: KillScope::Flag(FlagKey::new(flag).unwrap()),
            reason: None,
            actor: Actor::server("test"),
            at: "2026-11-24T12:00:00Z".parse().unwrap(),
            flags: std::collections::BTreeSet::new(),
        };
        let at = Position {
            epoch: self.head.epoch,
            revision: self.head.revision.next(),
        };
        self.kills.push(id.clone());
        self.seal(vec![Change::PutKill(Arc::new(Entry::new(id, kill, at).unwrap()))])
    }

    /// Seals a commit that puts a record.
    pub(crate) fn policy(&mut self, ping_every_seconds: u64) -> Sealed {
        let policy = Policy {
            ping_every_seconds: Some(ping_every_seconds),
            ..Policy::default()
        };
        self.seal(vec![Change::PutRecord(
            Arc::new(Entry::new(SingletonKey, policy, Position::START).unwrap()).into(),
        )])
    }

    /// Seals a commit that removes that record.
    pub(crate) fn no_policy(&mut self) -> Sealed {
        self.seal(vec![Change::DeleteRecord(RecordKey::Policy(SingletonKey))])
    }

    /// Seals a restore of the oldest kill in force.
    pub(crate) fn restore_first(&mut self) -> Sealed {
        let id = self.kills.remove(0);
        self.seal(vec![Change::Restore(id)])
    }

    /// Seals `count` entries as one append.
    pub(crate) fn append(&mut self, count: usize) -> Append {
        let expected = self.head;
        let entries = (0..count).map(|_| self.settings()).collect();
        Append {
            log: self.log.clone(),
            expected,
            entries,
        }
    }

    /// The state after everything that was sealed.
    pub(crate) fn state(&self) -> StoredState {
        let LogName::Environment(key) = &self.log else {
            panic!("the system log has no state")
        };
        let mut state = StoredState::empty(key.clone());
        self.entries.iter().for_each(|entry| state.apply(entry));
        state
    }
}

/// The digests of entries, to compare them by.
pub(crate) fn digests(entries: &[Sealed]) -> Vec<String> {
    entries.iter().map(|entry| format!("{} {}", entry.commit.sequence, entry.digest)).collect()
}

macro_rules! contract {
    ($fresh:expr) => {
        $crate::store::contract::contract!(@each $fresh;
            what_was_appended_is_loaded,
            an_append_at_another_head_is_refused,
            of_many_appends_at_one_head_one_is_written,
            logs_are_apart,
            reads_go_on_after_a_sequence,
            a_kept_state_shortens_the_tail,
            a_state_beside_the_log_is_not_kept,
            an_append_is_settled,
            a_dropped_log_starts_anew,
            the_log_of_an_environment_ends_with_it,
            an_installed_log_replaces_the_old_one,
            a_commit_of_many_changes_is_one_entry,
        );
    };
    (@each $fresh:expr; $($law:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                let fresh = $fresh.await;
                $crate::store::contract::$law($crate::store::contract::Fresh::store(&fresh)).await;
            }
        )*
    };
}
pub(crate) use contract;

pub(crate) async fn what_was_appended_is_loaded(store: &dyn Store) {
    let mut writer = Writer::new("production");
    assert_eq!(store.load(&writer.log).await.unwrap().head, Head::START);
    for count in [1, 3, 1] {
        store.append(writer.append(count)).await.unwrap();
    }
    for entry in [writer.kill("checkout"), writer.seal(Vec::new())] {
        let expected = before(&writer, &entry);
        store.append(one(&writer.log, expected, entry)).await.unwrap();
    }
    let loaded = store.load(&writer.log).await.unwrap();
    assert_eq!(loaded.head, writer.head);
    assert_eq!(loaded.head.revision, Revision(6), "the last entry takes no revision");
    assert_eq!(state_of(&loaded, "production").snapshot.content_hash(), writer.state().snapshot.content_hash());
    let entries = store.read(&writer.log, Sequence(0), usize::MAX).await.unwrap();
    assert_eq!(digests(&entries), digests(&writer.entries));
}

pub(crate) async fn an_append_at_another_head_is_refused(store: &dyn Store) {
    let mut writer = Writer::new("production");
    let mut other = writer.clone();
    store.append(writer.append(2)).await.unwrap();
    other.kill("checkout");
    let late = one(&other.log, Head::START, other.entries[0].clone());
    match store.append(late).await {
        Err(AppendError::Moved { actual }) => assert_eq!(actual, writer.head),
        outcome => panic!("{outcome:?}"),
    }
    // The right sequence is not enough: epoch and chain must agree as well.
    for wrong in [
        Head {
            epoch: Epoch(2),
            ..writer.head
        },
        Head {
            revision: Revision(7),
            ..writer.head
        },
        Head {
            chain: other.head.chain,
            ..writer.head
        },
    ] {
        let mut ahead = writer.clone();
        ahead.head = wrong;
        assert!(matches!(store.append(ahead.append(1)).await, Err(AppendError::Moved { .. })));
    }
    assert_eq!(store.load(&writer.log).await.unwrap().head, writer.head);
}

pub(crate) async fn of_many_appends_at_one_head_one_is_written(store: &dyn Store) {
    let writer = Writer::new("production");
    let rivals = (0..8).map(|rival| {
        let mut writer = writer.clone();
        let entry = writer.kill(&format!("flag-{rival}"));
        store.append(one(&writer.log, Head::START, entry))
    });
    let outcomes = futures_util::future::join_all(rivals).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert_eq!(store.load(&writer.log).await.unwrap().head.sequence, Sequence(1));
}

pub(crate) async fn logs_are_apart(store: &dyn Store) {
    let mut writers: Vec<_> = ["production", "staging", "system"].map(Writer::new).into();
    for _ in 0..5 {
        let appends: Vec<_> = writers.iter_mut().map(|writer| store.append(writer.append(1))).collect();
        for outcome in futures_util::future::join_all(appends).await {
            outcome.unwrap();
        }
    }
    for writer in &writers {
        let entries = store.read(&writer.log, Sequence(0), 100).await.unwrap();
        assert_eq!(digests(&entries), digests(&writer.entries));
    }
    let mut logs = store.logs().await.unwrap();
    logs.sort();
    assert_eq!(logs, [LogName::System, log("production"), log("staging")]);
}

pub(crate) async fn reads_go_on_after_a_sequence(store: &dyn Store) {
    let mut writer = Writer::new("production");
    store.append(writer.append(10)).await.unwrap();
    let part = store.read(&writer.log, Sequence(4), 3).await.unwrap();
    assert_eq!(digests(&part), digests(&writer.entries[4..7]));
    assert!(store.read(&writer.log, Sequence(10), 3).await.unwrap().is_empty());
    assert!(store.read(&writer.log, Sequence(11), 3).await.unwrap().is_empty());
    assert!(store.read(&log("nowhere"), Sequence(0), 3).await.unwrap().is_empty());
}

pub(crate) async fn a_kept_state_shortens_the_tail(store: &dyn Store) {
    let mut writer = Writer::new("production");
    let kill = writer.kill("checkout");
    store.append(one(&writer.log, Head::START, kill)).await.unwrap();
    store.append(writer.append(3)).await.unwrap();
    store.keep_state(&writer.log, writer.state()).await.unwrap();
    store.append(writer.append(4)).await.unwrap();
    let loaded = store.load(&writer.log).await.unwrap();
    assert!(loaded.tail.len() <= 4);
    assert_eq!(state_of(&loaded, "production").snapshot.content_hash(), writer.state().snapshot.content_hash());
    let before = store.state_before(&writer.log, Position::new(1, 6)).await.unwrap().unwrap();
    assert_eq!(before.head.revision, Revision(4));
    assert_eq!(before.snapshot.kills.len(), 1);
    assert!(store.state_before(&writer.log, Position::new(1, 3)).await.unwrap().is_none());
}

pub(crate) async fn a_state_beside_the_log_is_not_kept(store: &dyn Store) {
    let mut writer = Writer::new("production");
    store.append(writer.append(2)).await.unwrap();
    let mut other = Writer::new("production");
    other.kill("checkout");
    store.keep_state(&writer.log, other.state()).await.unwrap();
    assert!(store.state_before(&writer.log, Position::new(1, 9)).await.unwrap().is_none());
}

pub(crate) async fn an_append_is_settled(store: &dyn Store) {
    let mut writer = Writer::new("production");
    let append = writer.append(3);
    assert_eq!(store.settle(&append).await.unwrap(), Settled::NotWritten);
    store.append(append.clone()).await.unwrap();
    assert_eq!(store.settle(&append).await.unwrap(), Settled::Written);
    let rival = one(&append.log, Head::START, Writer::new("production").kill("checkout"));
    assert_eq!(store.settle(&rival).await.unwrap(), Settled::NotWritten);
    store.append(writer.append(1)).await.unwrap();
    assert_eq!(store.settle(&append).await.unwrap(), Settled::Written, "it stays written when others follow");
}

pub(crate) async fn a_dropped_log_starts_anew(store: &dyn Store) {
    let (mut writer, mut other) = (Writer::new("production"), Writer::new("staging"));
    store.append(writer.append(3)).await.unwrap();
    store.append(other.append(3)).await.unwrap();
    store.keep_state(&writer.log, writer.state()).await.unwrap();
    store.drop_log(&writer.log).await.unwrap();
    assert_eq!(store.load(&writer.log).await.unwrap().head, Head::START);
    assert_eq!(store.logs().await.unwrap(), [log("staging")]);
    assert!(store.state_before(&writer.log, Position::new(9, 9)).await.unwrap().is_none());
    let mut again = Writer::new("production");
    store.append(again.append(1)).await.unwrap();
    assert_eq!(store.load(&again.log).await.unwrap().head, again.head);
    assert_eq!(store.load(&other.log).await.unwrap().head, other.head);
}

pub(crate) async fn the_log_of_an_environment_ends_with_it(store: &dyn Store) {
    let (mut system, mut staging) = (Writer::new("system"), Writer::new("staging"));
    for round in 0..2 {
        let expected = system.head;
        store.append(one(&LogName::System, expected, system.make("staging"))).await.unwrap();
        assert_eq!(store.load(&staging.log).await.unwrap().head, Head::START, "round {round}");
        store.append(staging.append(3)).await.unwrap();
        store.keep_state(&staging.log, staging.state()).await.unwrap();
        let gone = system.seal(vec![Change::DeleteEnvironment(environment("staging"))]);
        store.append(one(&LogName::System, before(&system, &gone), gone)).await.unwrap();
        assert_eq!(store.logs().await.unwrap(), [LogName::System]);
        staging = Writer::new("staging");
    }
    assert!(store.state_before(&staging.log, Position::new(9, 9)).await.unwrap().is_none());
    assert_eq!(store.load(&LogName::System).await.unwrap().head, system.head);
}

pub(crate) async fn an_installed_log_replaces_the_old_one(store: &dyn Store) {
    let (mut old, mut staging) = (Writer::new("production"), Writer::new("staging"));
    store.append(old.append(5)).await.unwrap();
    store.append(staging.append(1)).await.unwrap();
    let mut new = Writer::new("production");
    new.kill("checkout");
    let state = new.state();
    new.append(2);
    new.seal(vec![Change::NewEpoch(EpochCause::BackupRestored)]);
    let contents = Contents {
        log: new.log.clone(),
        entries: new.entries.clone(),
        state: Some(state),
    };
    assert_eq!(contents.head(), new.head);
    store.install(vec![contents]).await.unwrap();
    let loaded = store.load(&new.log).await.unwrap();
    assert_eq!(loaded.head, new.head);
    assert_eq!(loaded.head.position(), Position::new(2, 3));
    assert_eq!(state_of(&loaded, "production").snapshot.content_hash(), new.state().snapshot.content_hash());
    assert_eq!(store.load(&staging.log).await.unwrap().head, staging.head);
    store.append(new.append(1)).await.unwrap();
    assert_eq!(store.load(&new.log).await.unwrap().head, new.head);
}

pub(crate) async fn a_commit_of_many_changes_is_one_entry(store: &dyn Store) {
    let mut writer = Writer::new("production");
    let mut kills = Writer::new("production");
    let changes: Vec<_> = (0..5_000).flat_map(|flag| kills.kill(&format!("flag-{flag}")).commit.changes.clone()).collect();
    let entry = writer.seal(changes);
    store.append(one(&writer.log, Head::START, entry)).await.unwrap();
    let loaded = store.load(&writer.log).await.unwrap();
    assert_eq!(loaded.head.sequence, Sequence(1));
    assert_eq!(state_of(&loaded, "production").snapshot.kills.len(), 5_000);
}

/// The head that `entry`, the last one of `writer`, follows.
pub(crate) fn before(writer: &Writer, entry: &Sealed) -> Head {
    let place = writer.entries.iter().position(|other| other.digest == entry.digest).unwrap();
    writer.entries[..place].iter().fold(Head::START, |head, entry| head.after(entry))
}

pub(crate) fn one(log: &LogName, expected: Head, entry: Sealed) -> Append {
    Append {
        log: log.clone(),
        expected,
        entries: vec![entry],
    }
}

/// The state that was loaded, its tail applied.
pub(crate) fn state_of(loaded: &super::Loaded, name: &str) -> StoredState {
    let mut state = loaded.state.clone().unwrap_or_else(|| StoredState::empty(environment(name)));
    loaded.tail.iter().for_each(|entry| state.apply(entry));
    assert_eq!(state.head, loaded.head);
    state
}
