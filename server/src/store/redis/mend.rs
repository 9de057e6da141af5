//! Mending: a stream in Redis that lost entries (`XDEL`, `XTRIM`) or has others is written again from a node's mirror, which has been
//! proven against the chain. The log stays the same log: nothing begins a new epoch.

use ripcord_proto::Sequence;

use super::backfill::Backfill;
use super::connection::{CallError, RedisConnection};
use super::keys::{self, StoredHead};
use super::node::RedisNode;
use super::query::{self, StoredEnd};
use super::reseed::ReseedError;
use crate::store::{CopyReport, Head, LogName, Store as _, StoreError};

/// How often what was appended meanwhile is added before it is tried another time.
const ROUNDS: usize = 5;
/// Entries compared or written at once.
const BATCH: usize = 1000;

/// Whether a stream lacks entries, or has more than it should: its ids are the sequences of the log, from 1 to the head's.
pub(super) fn is_damaged(end: &StoredEnd) -> bool {
    match keys::parse_head(&end.head) {
        Some(StoredHead::At(head)) => head.sequence.0 != end.entries,
        Some(StoredHead::Reseeding) | None => false,
    }
}

/// Writes a log in Redis again from the mirror. Returns whether it did: not if the mirror ends elsewhere.
pub(super) async fn mend(node: &RedisNode, live: &RedisConnection, log: &LogName) -> Result<bool, ReseedError> {
    let backfill = Backfill::begin(live, log, &node.id).await?;
    let mut after = Sequence(0);
    // The log may move on meanwhile: then only the rest is added.
    for _ in 0..ROUNDS {
        let Some(head) = mirrored_head(node, live, log).await? else {
            return Ok(false);
        };
        while after < head.sequence {
            let mut entries = node.mirror.store.read(log, after, BATCH).await?;
            entries.retain(|entry| entry.commit.sequence <= head.sequence);
            let Some(last) = entries.last() else { return Ok(false) };
            after = last.commit.sequence;
            backfill.add(&entries).await?;
        }
        if after == head.sequence && backfill.mend(&node.scripts.mend, head).await? {
            warn(node, log);
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where the log ends in Redis, if the mirror ends there too.
async fn mirrored_head(node: &RedisNode, live: &RedisConnection, log: &LogName) -> Result<Option<Head>, ReseedError> {
    let stored = query::heads(live, [log]).await?;
    let Some(StoredHead::At(head)) = stored.first().and_then(|text| keys::parse_head(text)) else {
        return Ok(None);
    };
    node.mirror.reach(log, head.sequence).await;
    let contents = node.mirror.store.read(log, Sequence(head.sequence.0.saturating_sub(1)), 1).await?;
    let is_mirrored = contents
        .first()
        .is_some_and(|entry| entry.commit.sequence == head.sequence && entry.digest == head.chain);
    Ok(is_mirrored.then_some(head))
}

fn warn(node: &RedisNode, log: &LogName) {
    let warning = format!("The log {log} in Redis had lost entries; this node wrote it again from its copy. Find out who deletes keys or entries there.");
    tracing::warn!("{warning}");
    node.health.send_modify(|health| {
        if !health.warnings.contains(&warning) {
            health.warnings.push(warning);
        }
    });
}

/// Compares a log in Redis with the mirror, entry by entry, and mends it.
pub(super) async fn compare(node: &RedisNode, log: &LogName) -> Result<CopyReport, StoreError> {
    let unavailable = |error: CallError| StoreError::Unavailable(error.to_string());
    let live = node.connector.connection().map_err(unavailable)?;
    let Some(damaged) = first_damaged(node, &live, log).await? else {
        return Ok(CopyReport::default());
    };
    let mended = mend(node, &live, log).await;
    let mended = mended.inspect_err(|error| tracing::error!(%log, %error, "a damaged log in Redis cannot be mended from this node's copy"));
    Ok(CopyReport {
        damaged: Some(damaged),
        mended: mended.unwrap_or_default(),
    })
}

async fn first_damaged(node: &RedisNode, live: &RedisConnection, log: &LogName) -> Result<Option<Sequence>, StoreError> {
    let end = node.mirror.head(log).sequence;
    let mut after = Sequence(0);
    while after < end {
        let own = node.mirror.store.read(log, after, BATCH).await?;
        let stored = query::entries(live, log, after, BATCH)
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let Some(last) = own.last() else { return Ok(None) };
        let mut stored = stored.into_iter().peekable();
        for entry in own.iter().filter(|entry| entry.commit.sequence <= end) {
            let same = stored.next_if(|raw| raw.sequence == entry.commit.sequence && raw.digest == entry.digest && *raw.body == *entry.body);
            if same.is_none() {
                return Ok(Some(entry.commit.sequence));
            }
        }
        after = last.commit.sequence;
    }
    Ok(None)
}
