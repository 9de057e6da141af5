//! Several nodes over one Redis, while it works and while it is down.

use std::time::{Duration, Instant};

use ripcord_proto::Sequence;
use ripcord_proto::change::Change;
use ripcord_proto::commit::Sealed;
use tokio::sync::mpsc;

use super::server::RedisServer;
use super::{RedisStore, open};
use crate::store::contract::{Writer, digests, environment, log, one};
use crate::store::{Append, AppendError, FeedEvent, LogName, Settled, Store, StoreState};

/// Polls until `check` holds, for ten seconds at most.
pub(super) async fn eventually<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !check().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(super) async fn available(store: &RedisStore) {
    eventually("the store is available", async || store.health().borrow().state == StoreState::Available).await;
}

/// An append of one entry where the log ends now, as far as this node knows.
pub(super) async fn next(store: &RedisStore, log: &LogName) -> Append {
    let head = store.load(log).await.unwrap().head;
    Writer::at(log, head).append(1)
}

/// Appends one entry, retries until it is written, and returns it.
pub(super) async fn commit(store: &RedisStore, log: &LogName) -> Sealed {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let append = next(store, log).await;
        match store.append(append.clone()).await {
            Ok(()) => return append.entries[0].clone(),
            Err(error) => assert!(Instant::now() < deadline, "nothing is written: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(super) async fn all(store: &RedisStore, log: &LogName) -> Vec<Sealed> {
    store.read(log, Sequence(0), usize::MAX).await.unwrap()
}

/// Collects `count` entries from the feed.
async fn fed(feed: &mut mpsc::Receiver<FeedEvent>, count: usize) -> Vec<Sealed> {
    let mut all = Vec::new();
    while all.len() < count {
        let event = tokio::time::timeout(Duration::from_secs(10), feed.recv())
            .await
            .expect("the feed brings it in time");
        match event {
            Some(FeedEvent::Entries { entries, .. }) => all.extend(entries),
            other => panic!("{other:?}"),
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_on_one_node_is_fed_to_the_other_and_not_to_itself() {
    let redis = RedisServer::start(&[]).await;
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (a, b) = (open(&redis, &directories[0], "a").await, open(&redis, &directories[1], "b").await);
    let (mut feed_a, mut feed_b) = (a.feed().unwrap(), b.feed().unwrap());
    assert!(a.feed().is_none(), "it can be taken once");
    let production = log("production");
    // Both know the log before it is written to, as after the creation of an environment.
    b.load(&production).await.unwrap();
    b.node.log_heads.track(&production);
    let mut writer = Writer::new("production");
    for _ in 0..50 {
        a.append(writer.append(1)).await.unwrap();
    }
    assert_eq!(digests(&fed(&mut feed_b, 50).await), digests(&writer.entries));
    b.append(writer.append(2)).await.unwrap();
    assert_eq!(digests(&fed(&mut feed_a, 2).await), digests(&writer.entries[50..]));
    assert!(feed_a.try_recv().is_err() && feed_b.try_recv().is_err());
    assert_eq!(digests(&all(&b, &production).await), digests(&writer.entries));
    a.close().await.unwrap();
    b.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rivals_on_two_nodes_write_one_log_without_a_gap() {
    let redis = RedisServer::start(&[]).await;
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let stores = [open(&redis, &directories[0], "a").await, open(&redis, &directories[1], "b").await];
    let _feeds = stores.each_ref().map(Store::feed);
    let production = log("production");
    stores[1].node.log_heads.track(&production);
    let rival = async |store: &RedisStore| {
        let mut written = Vec::new();
        for _ in 0..30 {
            written.push(commit(store, &production).await);
        }
        written
    };
    let (one, other) = tokio::join!(rival(&stores[0]), rival(&stores[1]));
    eventually("both nodes know all", async || {
        all(&stores[0], &production).await.len() == 60 && all(&stores[1], &production).await.len() == 60
    })
    .await;
    let entries = all(&stores[0], &production).await;
    assert_eq!(digests(&entries), digests(&all(&stores[1], &production).await));
    let found = digests(&entries);
    assert!(digests(&one).iter().chain(&digests(&other)).all(|written| found.contains(written)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_redis_is_noticed_and_an_unknown_append_is_settled() {
    let redis = RedisServer::start(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    let store = open(&redis, &directory, "a").await;
    let _feed = store.feed();
    let production = log("production");
    let first = commit(&store, &production).await;
    redis.pause();
    let paused = Instant::now();
    let append = next(&store, &production).await;
    let outcome = store.append(append.clone()).await;
    assert!(matches!(outcome, Err(AppendError::Unknown(_))), "{outcome:?}");
    assert!(paused.elapsed() < Duration::from_millis(1500), "{:?}", paused.elapsed());
    eventually("the store is said to be unreachable", async || {
        store.health().borrow().state == StoreState::Unreachable
    })
    .await;
    assert!(!store.health().borrow().why.is_empty());
    let outcome = store.append(append.clone()).await;
    assert!(matches!(outcome, Err(AppendError::Unavailable(_))), "{outcome:?}");
    assert!(store.settle(&append).await.is_err(), "it cannot be settled while the store is away");
    assert_eq!(digests(&all(&store, &production).await), digests(&[first]), "the mirror is read all the while");
    redis.resume();
    available(&store).await;
    let settled = store.settle(&append).await.unwrap();
    eventually("the log has the entry if it was settled so", async || {
        (all(&store, &production).await.len() == 2) == (settled == Settled::Written)
    })
    .await;
    commit(&store, &production).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_commits_survive_kill_9_of_a_redis_that_flushes() {
    let mut redis = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]).await;
    let directory = tempfile::tempdir().unwrap();
    let store = open(&redis, &directory, "a").await;
    let _feed = store.feed();
    let production = log("production");
    let mut written = Vec::new();
    for round in 0..20 {
        written.push(commit(&store, &production).await);
        if round % 10 == 5 {
            redis.kill();
            redis.restart().await;
        }
    }
    assert_eq!(digests(&all(&store, &production).await), digests(&written));
    let stored: usize = redis.ask(&["XLEN", "ripcord:{production}:log"]).await;
    assert_eq!(stored, 20, "nothing was written twice");
    assert_eq!(store.load(&production).await.unwrap().head.epoch.0, 1, "and nothing had to be filled again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_starts_without_redis_from_its_mirror() {
    let mut redis = RedisServer::start(&["--appendonly", "yes"]).await;
    let directory = tempfile::tempdir().unwrap();
    let production = log("production");
    let store = open(&redis, &directory, "a").await;
    let mut written = Vec::new();
    for _ in 0..5 {
        written.push(commit(&store, &production).await);
    }
    store.close().await.unwrap();
    drop(store);
    redis.kill();
    let store = open(&redis, &directory, "a").await;
    assert_eq!(store.health().borrow().state, StoreState::Unreachable);
    assert_eq!(digests(&all(&store, &production).await), digests(&written));
    redis.restart().await;
    available(&store).await;
    commit(&store, &production).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_can_lose_data_are_warned_of() {
    let careless = RedisServer::start(&["--maxmemory-policy", "allkeys-lru"]).await;
    let careful = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]).await;
    for (redis, count) in [(careless, 2), (careful, 0)] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&redis, &directory, "a").await;
        let warnings = store.health().borrow().warnings.clone();
        assert_eq!(warnings.len(), count, "{warnings:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_environment_comes_and_goes_on_every_node_and_its_end_is_no_loss() {
    let redis = RedisServer::start(&[]).await;
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (a, b) = (open(&redis, &directories[0], "a").await, open(&redis, &directories[1], "b").await);
    let (_feed_a, mut feed_b) = (a.feed().unwrap(), b.feed().unwrap());
    let (staging, mut system) = (log("staging"), Writer::new("system"));
    let made = one(&system.log.clone(), system.head, system.make("staging"));
    a.append(made).await.unwrap();
    let mut written = Vec::new();
    for _ in 0..3 {
        written.push(commit(&a, &staging).await);
    }
    assert_eq!(
        fed(&mut feed_b, 4).await.len(),
        4,
        "the environment's log is followed as soon as the system log names it"
    );
    assert_eq!(digests(&all(&b, &staging).await), digests(&written));

    let gone = one(
        &system.log.clone(),
        system.head,
        system.seal(vec![Change::DeleteEnvironment(environment("staging"))]),
    );
    a.append(gone).await.unwrap();
    let event = tokio::time::timeout(Duration::from_secs(10), feed_b.recv()).await.unwrap();
    assert!(matches!(&event, Some(FeedEvent::Dropped { log }) if *log == staging), "{event:?}");
    eventually("b has no log of it", async || b.logs().await.unwrap() == [LogName::System]).await;
    // Several comparisons later, no node has tried to fill it again.
    for _ in 0..5 {
        assert_eq!(a.health().borrow().state, StoreState::Available);
        assert_eq!(b.health().borrow().state, StoreState::Available);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert_eq!(redis.ask::<usize>(&["EXISTS", "ripcord:{staging}:state", "ripcord:{staging}:claims"]).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_environment_made_again_while_a_node_was_away_starts_anew_there() {
    let redis = RedisServer::start(&[]).await;
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let staging = log("staging");
    let mut system = Writer::new("system");
    let (a, b) = (open(&redis, &directories[0], "a").await, open(&redis, &directories[1], "b").await);
    let (_feed_a, feed_b) = (a.feed(), b.feed());
    let made = one(&system.log.clone(), system.head, system.make("staging"));
    a.append(made).await.unwrap();
    for _ in 0..9 {
        commit(&a, &staging).await;
    }
    eventually("b has the old one", async || all(&b, &staging).await.len() == 9).await;
    b.close().await.unwrap();
    drop((b, feed_b));

    let gone = one(
        &system.log.clone(),
        system.head,
        system.seal(vec![Change::DeleteEnvironment(environment("staging"))]),
    );
    a.append(gone).await.unwrap();
    // A node died between the two steps: the environment is deleted, but its log is still there.
    redis.ask::<usize>(&["HSET", "ripcord:{staging}:state", "head", "1 9 9 left"]).await;
    let again = one(&system.log.clone(), system.head, system.make("staging"));
    a.append(again).await.unwrap();
    let new = [commit(&a, &staging).await, commit(&a, &staging).await];

    let b = open(&redis, &directories[1], "b").await;
    let _feed_b = b.feed();
    eventually("b has the new one", async || digests(&all(&b, &staging).await) == digests(&new)).await;
    commit(&b, &staging).await;
    assert_eq!(b.load(&staging).await.unwrap().head.epoch.0, 1, "nothing was filled again");
}
