//! The health watch: opens the connection, compares at short intervals where the logs end, and so notices within a second if Redis
//! is gone, paused, or has lost data.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;

use super::connection::{CallError, RedisConnection};
use super::keys::{self, StoredHead};
use super::log_status::LogStatus;
use super::node::RedisNode;
use super::{durability, query, reseed};
use crate::store::{Head, LogName, StoreState};

/// How often heads are compared.
const INTERVAL: Duration = Duration::from_millis(250);
/// How long a comparison may take before the server counts as gone.
const SILENCE: Duration = Duration::from_millis(700);
/// The longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Watches until the store closes.
pub(super) async fn run(node: Arc<RedisNode>) {
    let mut attempt = 0;
    while !node.closing.is_cancelled() {
        match connect(&node).await {
            Ok(live) => {
                attempt = 0;
                let why = watch(&node, &live).await;
                node.connector.put(None);
                node.report(StoreState::Unreachable, &why);
            }
            Err(why) => node.report(StoreState::Unreachable, &why),
        }
        tokio::select! {
            () = tokio::time::sleep(pause(attempt)) => attempt += 1,
            () = node.closing.cancelled() => {}
        }
    }
}

/// Full jitter over a pause that doubles from 50 ms.
fn pause(attempt: u32) -> Duration {
    let longest = Duration::from_millis(50).saturating_mul(1 << attempt.min(10)).min(LONGEST_PAUSE);
    longest.mul_f64(rand::rng().random_range(0.2..1.0))
}

async fn connect(node: &RedisNode) -> Result<Arc<RedisConnection>, String> {
    let connected = tokio::select! {
        connected = node.connector.connect() => connected,
        () = node.closing.cancelled() => return Err("it is closing".to_owned()),
    };
    let live = Arc::new(connected.map_err(|error| error.to_string())?);
    let stands = tokio::time::timeout(SILENCE, compare(node, &live)).await;
    stands
        .map_err(|_| "Redis accepts connections but does not answer".to_owned())?
        .map_err(|error| error.to_string())?;
    let warnings = durability::warnings(&live).await;
    node.health.send_modify(|health| {
        for warning in warnings.iter().filter(|warning| !health.warnings.contains(warning)) {
            tracing::warn!("{warning}");
        }
        health.warnings.clone_from(&warnings);
    });
    node.connector.put(Some(Arc::clone(&live)));
    Ok(live)
}

/// Watches while Redis answers; returns why it stopped.
async fn watch(node: &Arc<RedisNode>, live: &RedisConnection) -> String {
    loop {
        let compared = tokio::time::timeout(SILENCE, compare(node, live)).await;
        match compared {
            Ok(Ok(statuses)) => settle_differences(node, live, statuses).await,
            Ok(Err(error)) => return error.to_string(),
            Err(_) => return format!("Redis has not answered for {} ms", SILENCE.as_millis()),
        }
        let is_reseeding = node.health.borrow().state == StoreState::Reseeding;
        let interval = if is_reseeding { INTERVAL / 4 } else { INTERVAL };
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = node.suspicion.notified() => {}
            () = live.is_lost() => return "the connection was lost".to_owned(),
            () = node.closing.cancelled() => return "it is closing".to_owned(),
        }
    }
}

async fn compare(node: &RedisNode, live: &RedisConnection) -> Result<BTreeMap<LogName, LogStatus>, CallError> {
    // This node's heads are read before Redis is asked: Redis had confirmed all of them by then.
    let known = node.log_heads.heads();
    let stored = query::heads(live, known.keys()).await?;
    let mut statuses = BTreeMap::new();
    for ((log, known), stored) in known.into_iter().zip(stored) {
        let status = match keys::parse_head(&stored) {
            Some(StoredHead::At(stored)) if stored == known => LogStatus::InSync,
            Some(StoredHead::At(stored)) if stored.sequence > known.sequence => {
                if continues(live, &log, known).await? {
                    LogStatus::InSync
                } else {
                    LogStatus::Diverged(stored)
                }
            }
            Some(StoredHead::At(stored)) if stored.epoch > known.epoch => LogStatus::Diverged(stored),
            Some(StoredHead::At(stored)) => LogStatus::Behind(stored),
            Some(StoredHead::Reseeding) => LogStatus::Reseeding,
            None => LogStatus::Unreadable(stored),
        };
        statuses.insert(log, status);
    }
    Ok(statuses)
}

/// Whether the log in Redis contains the last entry that this node knows.
async fn continues(live: &RedisConnection, log: &LogName, known: Head) -> Result<bool, CallError> {
    let Some(before) = known.sequence.0.checked_sub(1) else { return Ok(true) };
    let found = query::entries(live, log, ripcord_proto::Sequence(before), 1).await?;
    Ok(found.first().is_some_and(|raw| raw.sequence == known.sequence && raw.digest == known.chain))
}

/// Settles every log that differs, the system log first; if that one differs, it alone, because it names the environments.
async fn settle_differences(node: &RedisNode, live: &RedisConnection, statuses: BTreeMap<LogName, LogStatus>) {
    let odd = statuses.into_iter().filter(|(_, status)| *status != LogStatus::InSync);
    let (mut is_whole, mut is_reported) = (true, false);
    for (log, status) in odd {
        is_whole = false;
        if !is_reported {
            node.report(
                StoreState::Reseeding,
                &format!("the log {log} in Redis differs from the one that this node knows"),
            );
            is_reported = true;
        }
        if let Err(error) = reseed::settle(node, live, &log, status).await {
            tracing::warn!(%log, %error, "cannot settle a log that Redis lost; trying again");
        }
        if log == LogName::System {
            break;
        }
    }
    if is_whole {
        node.report(StoreState::Available, "");
    }
}
