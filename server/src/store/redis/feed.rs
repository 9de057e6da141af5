//! The feed: one connection that blocks on the streams of all logs.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;

use super::connection::RedisConnection;
use super::node::RedisNode;
use super::query::{self, Rows};
use super::{keys, log_heads::FeedMismatch};
use crate::store::LogName;

/// How long one wait lasts, in milliseconds. A new log is included from the next wait on; the entry that announces it ends this one.
const WAIT_MS: u64 = 1000;
/// How much longer than that an answer may take.
const GRACE: Duration = Duration::from_secs(2);
/// Maximum number of entries read from one stream at once.
const TAKE: usize = 512;
/// How long to pause after a mismatch, so that the health watch can settle it.
const HOLD: Duration = Duration::from_millis(100);

type StreamReply = Option<Vec<(String, Rows)>>;

/// Reads until the store closes.
pub(super) async fn run(node: Arc<RedisNode>) {
    while !node.closing.is_cancelled() {
        let Ok(live) = node.connector.connection() else {
            hold(&node).await;
            continue;
        };
        match node.connector.connect_patient().await {
            Ok(connection) => {
                tokio::select! {
                    () = follow(&node, connection) => {}
                    () = live.is_lost() => {}
                    () = node.closing.cancelled() => {}
                }
            }
            Err(error) => tracing::debug!(%error, "cannot open the feed's connection"),
        }
        hold_unless_lost(&node, &live).await;
    }
}

async fn hold(node: &RedisNode) {
    tokio::select! {
        () = tokio::time::sleep(HOLD) => {}
        () = node.closing.cancelled() => {}
    }
}

async fn hold_unless_lost(node: &RedisNode, live: &RedisConnection) {
    tokio::select! {
        () = hold(node) => {}
        () = live.is_lost() => {}
    }
}

async fn follow(node: &RedisNode, mut connection: MultiplexedConnection) {
    loop {
        match wait(node, &mut connection).await {
            Ok(reply) => {
                for (key, rows) in reply.into_iter().flatten() {
                    let Some(log) = keys::log_of(&key) else { continue };
                    if let Err(error) = take(node, &log, rows).await {
                        tracing::warn!(%log, %error, "the log in Redis does not follow what this node knows");
                        node.suspicion.notify_one();
                        hold(node).await;
                    }
                }
            }
            Err(error) => {
                tracing::debug!(%error, "the feed's connection was lost");
                return;
            }
        }
    }
}

async fn wait(node: &RedisNode, connection: &mut MultiplexedConnection) -> Result<StreamReply, redis::RedisError> {
    node.log_heads.track(&LogName::System);
    let heads = node.log_heads.heads();
    let mut command = redis::cmd("XREAD");
    command.arg("COUNT").arg(TAKE).arg("BLOCK").arg(WAIT_MS).arg("STREAMS");
    command.arg(heads.keys().map(keys::log).collect::<Vec<_>>());
    command.arg(heads.values().map(|head| keys::id(head.sequence)).collect::<Vec<_>>());
    // Without a timeout, a connection that died silently would be waited on forever.
    let answered = tokio::time::timeout(Duration::from_millis(WAIT_MS) + GRACE, command.query_async(connection)).await;
    answered.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}

async fn take(node: &RedisNode, log: &LogName, rows: Rows) -> Result<(), FeedMismatch> {
    node.ingest(log, query::raw(rows)).await
}
