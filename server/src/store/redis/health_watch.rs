//! The health watch: opens the connection, compares at short intervals where the logs end, and so notices within a second if Redis
//! is gone, paused, has lost data, or takes no writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt as _;

use super::connection::{CallError, RedisConnection};
use super::fault::StoreFault;
use super::lag::Lag;
use super::log_status::LogStatus;
use super::node::RedisNode;
use super::query::StoredEnd;
use super::{durability, mend, query, reseed};
use crate::store::{Head, LogName, StoreState};

/// How often heads are compared.
const INTERVAL: Duration = Duration::from_millis(250);
/// How long a comparison may take before the server counts as gone.
const SILENCE: Duration = Duration::from_millis(700);
/// The longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often a write is tried.
const PROBE: Duration = Duration::from_secs(1);

/// Watches until the store closes.
pub(super) async fn run(node: Arc<RedisNode>) {
    let mut attempt = 0;
    while !node.closing.is_cancelled() {
        match connect(&node).await {
            Ok((live, first)) => {
                attempt = 0;
                let why = watch(&node, &live, first).await;
                node.connector.put(None);
                node.report(StoreState::Unreachable, Some(StoreFault::unreachable(why)));
            }
            Err(fault) => node.report(StoreState::Unreachable, Some(fault)),
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

async fn connect(node: &RedisNode) -> Result<(Arc<RedisConnection>, Comparison), StoreFault> {
    let connected = tokio::select! {
        connected = node.connector.connect() => connected,
        () = node.closing.cancelled() => return Err(StoreFault::unreachable("it is closing")),
    };
    let live = Arc::new(connected.map_err(|error| StoreFault::of(&error))?);
    node.log_heads.track(&LogName::System);
    let first = tokio::time::timeout(SILENCE, compare(node, &live)).await;
    let first = first
        .map_err(|_| StoreFault::unreachable("Redis accepts connections but does not answer"))?
        .map_err(|error| fault(&error))?;
    let warnings = durability::warnings(&live).await;
    node.health.send_modify(|health| {
        for warning in warnings.iter().filter(|warning| !health.warnings.contains(warning)) {
            tracing::warn!("{warning}");
        }
        health.warnings.clone_from(&warnings);
    });
    node.connector.put(Some(Arc::clone(&live)));
    Ok((live, first))
}

fn fault(error: &CallError) -> StoreFault {
    match error {
        CallError::Refused(error) => StoreFault::of(error),
        CallError::NotSent(why) | CallError::NoAnswer(why) => StoreFault::unreachable(why.clone()),
    }
}

/// Watches while Redis answers; returns why it stopped.
async fn watch(node: &Arc<RedisNode>, live: &RedisConnection, first: Comparison) -> String {
    let mut lag = Lag::begin(&first.statuses, Instant::now());
    let mut damage = BTreeMap::new();
    let mut probed: Option<(Instant, Option<StoreFault>)> = None;
    let mut compared = Ok(Ok(first));
    loop {
        match compared {
            Ok(Ok(comparison)) => {
                let known = |log: &LogName| node.log_heads.tracks(log).then(|| node.log_heads.head(log));
                node.set_behind(lag.is_behind(&comparison.statuses, known, Instant::now()));
                if probed.as_ref().is_none_or(|(at, _)| at.elapsed() >= PROBE) {
                    probed = Some((Instant::now(), probe(node, live).await));
                }
                let refused = probed.as_ref().and_then(|(_, fault)| fault.clone()).or_else(|| node.connector.refusal());
                damage = mend_damaged(node, live, damage, &comparison).await;
                refill_broken(node, live, &comparison).await;
                settle_differences(node, live, comparison.statuses, refused).await;
            }
            Ok(Err(error)) => return fault(&error).why,
            Err(_) => return format!("Redis has not answered for {} ms", SILENCE.as_millis()),
        }
        let is_waiting = node.health.borrow().state == StoreState::Reseeding || lag.is_catching_up;
        let interval = if is_waiting { INTERVAL / 4 } else { INTERVAL };
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = node.suspicion.notified() => {}
            () = live.is_lost() => return "the connection was lost".to_owned(),
            () = node.closing.cancelled() => return "it is closing".to_owned(),
        }
        compared = tokio::time::timeout(SILENCE, compare(node, live)).await;
    }
}

/// Why the store takes no writes, if it takes none.
async fn probe(node: &RedisNode, live: &RedisConnection) -> Option<StoreFault> {
    match tokio::time::timeout(SILENCE, query::probe(live, &node.scripts.probe, &node.id)).await {
        Ok(Err(CallError::Refused(error))) => Some(StoreFault::of(&error)),
        // A connection that was lost is noticed by the next comparison.
        Ok(Ok(()) | Err(_)) | Err(_) => None,
    }
}

/// One look at where the logs end.
struct Comparison {
    statuses: BTreeMap<LogName, LogStatus>,
    ends: BTreeMap<LogName, StoredEnd>,
}

async fn compare(node: &RedisNode, live: &RedisConnection) -> Result<Comparison, CallError> {
    // This node's heads are read before Redis is asked: Redis had confirmed all of them by then.
    let known = node.log_heads.heads();
    let ends = query::ends(live, known.keys()).await?;
    let mut statuses = BTreeMap::new();
    for ((log, known), end) in known.iter().zip(&ends) {
        let status = if let Some(status) = LogStatus::of(*known, &end.head, None) {
            status
        } else {
            let continues = continues(live, log, *known).await?;
            LogStatus::of(*known, &end.head, Some(continues)).unwrap_or(LogStatus::InSync)
        };
        statuses.insert(log.clone(), status);
    }
    let ends = known.into_keys().zip(ends).collect();
    Ok(Comparison { statuses, ends })
}

/// Whether the log in Redis contains the last entry that this node knows.
async fn continues(live: &RedisConnection, log: &LogName, known: Head) -> Result<bool, CallError> {
    let Some(before) = known.sequence.0.checked_sub(1) else { return Ok(true) };
    let found = query::entries(live, log, ripcord_proto::Sequence(before), 1).await?;
    Ok(found.first().is_some_and(|raw| raw.sequence == known.sequence && raw.digest == known.chain))
}

/// Mends logs whose damage was seen twice: an append between two answers looks like damage once. Returns what was seen this time.
async fn mend_damaged(node: &RedisNode, live: &RedisConnection, before: BTreeMap<LogName, StoredEnd>, comparison: &Comparison) -> BTreeMap<LogName, StoredEnd> {
    let mut seen = BTreeMap::new();
    for (log, end) in comparison.ends.iter().filter(|(_, end)| mend::is_damaged(end)) {
        if before.get(log) == Some(end)
            && let Err(error) = mend::mend(node, live, log).await
        {
            tracing::warn!(%log, %error, "a damaged log in Redis cannot be mended; trying again");
        }
        seen.insert(log.clone(), end.clone());
    }
    seen
}

/// Fetches again what the mirror holds of logs in which it does not follow, although this node does.
async fn refill_broken(node: &RedisNode, live: &RedisConnection, comparison: &Comparison) {
    for log in node.mirror.take_broken() {
        let is_same = matches!(comparison.statuses.get(&log), Some(LogStatus::InSync | LogStatus::Longer(_)));
        if is_same && let Err(error) = reseed::refill_mirror(node, live, &log).await {
            tracing::warn!(%log, %error, "cannot fetch a log into the mirror again; trying again");
        }
    }
}

/// Settles every log that differs, the system log first; if that one differs, it alone, because it names the environments.
async fn settle_differences(node: &RedisNode, live: &RedisConnection, statuses: BTreeMap<LogName, LogStatus>, refused: Option<StoreFault>) {
    if let Some(fault) = refused {
        // What differs cannot be settled without writing.
        return node.report(StoreState::RefusesWrites, Some(fault));
    }
    let is_odd = |status: &LogStatus| !matches!(status, LogStatus::InSync | LogStatus::Longer(_));
    let odd = statuses.into_iter().filter(|(_, status)| is_odd(status));
    let (mut is_whole, mut is_reported) = (true, false);
    for (log, status) in odd {
        is_whole = false;
        if !is_reported {
            let why = format!("the log {log} in Redis differs from the one that this node knows");
            let code = ripcord_proto::rest::health::HealthCode::StoreReseeding;
            node.report(StoreState::Reseeding, Some(StoreFault { code, why }));
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
        node.report(StoreState::Available, None);
    }
}
