//! A Redis that comes back empty, older or different.

use std::time::Duration;

use ripcord_proto::Epoch;
use ripcord_proto::commit::Sealed;
use tokio::sync::mpsc;

use super::server::RedisServer;
use super::traffic::{all, available, commit, eventually};
use super::{RedisStore, open};
use crate::store::contract::{digests, log};
use crate::store::{FeedEvent, LogName, Store};

async fn reaches(store: &RedisStore, log: &LogName, epoch: u64) {
    eventually("the log goes on in the next epoch", async || {
        store.load(log).await.unwrap().head.epoch == Epoch(epoch)
    })
    .await;
    available(store).await;
}

/// Waits until the feed reports that the log was replaced; returns the orphaned entries.
async fn orphaned(feed: &mut mpsc::Receiver<FeedEvent>) -> Vec<Sealed> {
    loop {
        match tokio::time::timeout(Duration::from_secs(10), feed.recv())
            .await
            .expect("the feed tells in time")
        {
            Some(FeedEvent::Replaced { orphaned, loaded, .. }) => {
                assert!(loaded.head.epoch > Epoch(1));
                return orphaned;
            }
            Some(FeedEvent::Entries { .. } | FeedEvent::Dropped { .. }) => {}
            None => panic!("the feed has ended"),
        }
    }
}

fn contains(entries: &[Sealed], written: &[Sealed]) -> bool {
    let found = digests(entries);
    digests(written).iter().all(|written| found.contains(written))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_emptied_under_traffic_is_filled_again() {
    let redis = RedisServer::start(&[]).await;
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (a, b) = (open(&redis, &directories[0], "a").await, open(&redis, &directories[1], "b").await);
    let (mut feed_a, mut feed_b) = (a.feed().unwrap(), b.feed().unwrap());
    let (production, system) = (log("production"), LogName::System);
    b.node.log_heads.track(&production);
    let mut written = vec![commit(&a, &system).await];
    let mut answered = Vec::new();
    for _ in 0..10 {
        answered.push(commit(&a, &production).await);
    }
    let traffic = async {
        for _ in 0..20 {
            answered.push(commit(&a, &production).await);
        }
    };
    let flush = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        redis.ask::<String>(&["FLUSHALL"]).await
    };
    tokio::join!(traffic, flush);
    for (store, feed) in [(&a, &mut feed_a), (&b, &mut feed_b)] {
        reaches(store, &production, 2).await;
        reaches(store, &system, 2).await;
        assert!(orphaned(feed).await.is_empty());
    }
    answered.push(commit(&b, &production).await);
    eventually("a has b's commit", async || contains(&all(&a, &production).await, &answered)).await;
    written.push(commit(&a, &system).await);
    assert!(contains(&all(&a, &system).await, &written));
    let stored: usize = redis.ask(&["XLEN", "ripcord:{production}:log"]).await;
    assert_eq!(stored, all(&a, &production).await.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_restarts_empty_is_filled_by_its_only_node() {
    let mut redis = RedisServer::start(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    let store = open(&redis, &directory, "a").await;
    let mut feed = store.feed().unwrap();
    let production = log("production");
    let written = vec![commit(&store, &production).await, commit(&store, &production).await];
    redis.kill();
    redis.restart().await;
    reaches(&store, &production, 2).await;
    assert!(orphaned(&mut feed).await.is_empty());
    assert!(contains(&all(&store, &production).await, &written));
    let head: String = redis.ask(&["HGET", "ripcord:{production}:state", "head"]).await;
    assert!(head.starts_with("2 2 3 "), "{head}");
    commit(&store, &production).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_restarts_from_an_older_copy_is_filled_again() {
    let mut redis = RedisServer::start(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    let store = open(&redis, &directory, "a").await;
    let _feed = store.feed();
    let production = log("production");
    let mut written = Vec::new();
    for round in 0..10 {
        written.push(commit(&store, &production).await);
        if round == 4 {
            redis.ask::<String>(&["SAVE"]).await;
        }
    }
    redis.kill();
    redis.restart().await;
    reaches(&store, &production, 2).await;
    let entries = all(&store, &production).await;
    assert_eq!(digests(&entries[..10]), digests(&written));
    assert_eq!(entries.len(), 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_node_yields_to_one_that_knows_more() {
    let redis = RedisServer::start(&[]).await;
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let production = log("production");
    let old = open(&redis, &directories[0], "old").await;
    let mut written = Vec::new();
    for _ in 0..5 {
        written.push(commit(&old, &production).await);
    }
    old.close().await.unwrap();
    drop(old);
    redis.ask::<String>(&["FLUSHALL"]).await;
    let fresh = open(&redis, &directories[1], "fresh").await;
    let mut feed = fresh.feed().unwrap();
    let bootstrap = commit(&fresh, &LogName::System).await;
    // It differs from what the old node wrote first.
    fresh.node.log_heads.track(&production);
    let old = open(&redis, &directories[0], "old").await;
    let _old_feed = old.feed();
    reaches(&old, &production, 2).await;
    eventually("the fresh node takes it over", async || contains(&all(&fresh, &production).await, &written)).await;
    assert!(orphaned(&mut feed).await.is_empty());
    assert!(contains(&all(&fresh, &LogName::System).await, &[bootstrap]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_a_later_node_knows_is_handed_over_as_orphaned() {
    let redis = RedisServer::start(&[]).await;
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let production = log("production");
    let (early, late) = (open(&redis, &directories[0], "early").await, open(&redis, &directories[1], "late").await);
    let feeds = (early.feed(), late.feed());
    late.node.log_heads.track(&production);
    let mut shared = Vec::new();
    for _ in 0..5 {
        shared.push(commit(&early, &production).await);
    }
    eventually("both know it", async || all(&late, &production).await.len() == 5).await;
    early.close().await.unwrap();
    drop((early, feeds));
    let own = [commit(&late, &production).await, commit(&late, &production).await];
    late.close().await.unwrap();
    drop(late);
    redis.ask::<String>(&["FLUSHALL"]).await;
    let early = open(&redis, &directories[0], "early").await;
    let _feed = early.feed();
    reaches(&early, &production, 2).await;
    commit(&early, &production).await;
    let late = open(&redis, &directories[1], "late").await;
    let mut feed = late.feed().unwrap();
    assert_eq!(digests(&orphaned(&mut feed).await), digests(&own));
    assert_eq!(digests(&all(&late, &production).await), digests(&all(&early, &production).await));
    commit(&late, &production).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_dies_while_it_fills_is_given_up() {
    let redis = RedisServer::start(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    let store = open(&redis, &directory, "a").await;
    let _feed = store.feed();
    let production = log("production");
    let written = [commit(&store, &production).await];
    let now = jiff::Timestamp::now().as_millisecond();
    // Another node died while filling, four seconds ago: it has the highest claim, its keys aside exist, and it is silent.
    let (opened, beat) = ((now - 6_000).to_string(), (now - 4_000).to_string());
    redis.ask::<usize>(&["HSET", "ripcord:{production}:aside:dead:state", "head", "2 9 9 ff"]).await;
    let claims = "ripcord:{production}:claims";
    redis
        .ask::<usize>(&["HSET", claims, "opened", &opened, "filler", "dead", "beat", &beat, "claim:dead", "9"])
        .await;
    redis.ask::<usize>(&["HSET", "ripcord:{production}:state", "head", "reseeding"]).await;
    reaches(&store, &production, 2).await;
    assert!(contains(&all(&store, &production).await, &written));
    commit(&store, &production).await;
}
