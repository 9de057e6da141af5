//! Queries between nodes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, pending, ready};
use serde_json::value::RawValue;

use super::open;
use super::server::RedisServer;
use super::traffic::eventually;
use crate::store::Store as _;
use crate::store::redis::QueryHandler;

/// Answers a query with the query itself, or never.
enum StubHandler {
    Echo,
    Mute,
}

impl QueryHandler for StubHandler {
    fn answer<'a>(&'a self, question: &'a RawValue) -> BoxFuture<'a, Option<Box<RawValue>>> {
        match self {
            Self::Echo => ready(Some(question.to_owned())).boxed(),
            Self::Mute => pending().boxed(),
        }
    }
}

fn question() -> Box<RawValue> {
    RawValue::from_string(r#"{"revision":7}"#.to_owned()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_answered_by_all_live_nodes_and_the_silent_are_named() {
    let redis = RedisServer::start(&[]).await;
    let directories = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let mut stores = Vec::new();
    let mut queries = Vec::new();
    for (name, directory) in ["a", "b", "c", "mute"].iter().zip(&directories) {
        let store = open(&redis, directory, name).await;
        queries.push(store.cluster_query(Arc::new(if *name == "mute" { StubHandler::Mute } else { StubHandler::Echo })));
        stores.push(store);
    }
    eventually("a knows the others", async || queries[0].others() == ["b", "c", "mute"]).await;
    let patience = Duration::from_millis(400);
    eventually("b and c answer", async || queries[0].ask(&question(), patience).await.answered.len() == 2).await;
    let answers = queries[0].ask(&question(), patience).await;
    assert_eq!(answers.missing, ["mute"]);
    assert_eq!(answers.answered["b"].as_ref().unwrap().get(), question().get());

    let (began, question_to_all) = (Instant::now(), question());
    let (answers, closed) = tokio::join!(queries[0].ask(&question_to_all, Duration::from_secs(20)), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        stores[3].close().await
    });
    closed.unwrap();
    assert_eq!((answers.answered.len(), answers.missing.len()), (2, 0));
    assert!(began.elapsed() < Duration::from_secs(10), "who dies while it is asked is not waited for");
    let began = Instant::now();
    let answers = queries[0].ask(&question(), Duration::from_secs(5)).await;
    assert!(answers.missing.is_empty(), "who said goodbye is not waited for");
    assert!(began.elapsed() < Duration::from_secs(1));

    redis.pause();
    let answers = queries[0].ask(&question(), patience).await;
    assert!(answers.answered.is_empty());
    assert_eq!(answers.missing, ["b", "c"], "without Redis nobody is reached");
    redis.resume();
}
