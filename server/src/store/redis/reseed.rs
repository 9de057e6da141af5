//! Re-seeding a Redis that came back empty, older or different: nodes agree which of them knows most, that node fills it in a new
//! epoch, and the others adopt the result. Memory is not emptied in the process, and entries that only one node knew are passed
//! to its receiver as orphaned.
//!
//! Each log is settled separately, the system log first, because it names the environments.

use std::collections::BTreeSet;

use ripcord_proto::change::{Change, EpochCause};
use ripcord_proto::commit::Sealed;
use ripcord_proto::{EnvironmentKey, Sequence};

use super::backfill::Backfill;
use super::connection::{CallError, RedisConnection};
use super::keys;
use super::log_status::{LogStatus, ReseedStep, rank};
use super::node::RedisNode;
use super::query;
use crate::store::epoch::{self, EpochStart};
use crate::store::journal::JournalRecord;
use crate::store::orphans;
use crate::store::state::StoredState;
use crate::store::{Append, Contents, Head, Loaded, LogName, Store as _, StoreError};
use crate::tasks;

/// How long nodes may claim, in milliseconds.
const WINDOW_MS: u64 = 1500;
/// How long the filling node may be silent before another takes over, in milliseconds.
const SILENCE_MS: u64 = 5000;
/// Entries read from the mirror at once.
const BATCH: usize = 1000;

/// Why a log could not be settled this time. The health watch tries again.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReseedError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a commit that begins an epoch cannot be encoded: {0}")]
    Encode(#[from] serde_json::Error),
}

/// Does this node's part for a log that differs from what it knows.
pub(super) async fn settle(node: &RedisNode, live: &RedisConnection, log: &LogName, status: LogStatus) -> Result<(), ReseedError> {
    match status.step(node.log_heads.head(log)) {
        ReseedStep::Nothing => Ok(()),
        ReseedStep::Claim { seen } => claim(node, live, log, &seen).await,
        ReseedStep::Adopt => adopt(node, live, log).await,
        ReseedStep::AdoptAndBeginEpoch => {
            adopt(node, live, log).await?;
            begin_epoch(node, log).await
        }
    }
}

async fn claim(node: &RedisNode, live: &RedisConnection, log: &LogName, seen: &str) -> Result<(), ReseedError> {
    // The system log comes first: the log of a deleted environment is not lost.
    let system = node.log_heads.head(&LogName::System).sequence;
    let is_news = *log != LogName::System && !query::entries(live, &LogName::System, system, 1).await?.is_empty();
    if is_news || !node.log_heads.tracks(log) {
        return Ok(());
    }
    match ask(node, live, log, seen).await?.as_str() {
        "fill" => fill(node, live, log).await,
        _ => Ok(()),
    }
}

/// Claims, and asks which node is to fill. The filling node also signals with it that it is alive.
async fn ask(node: &RedisNode, live: &RedisConnection, log: &LogName, seen: &str) -> Result<String, CallError> {
    let held = claimable(node, log).await;
    let claim = if held == Head::START {
        String::new()
    } else {
        format!("{} {}", rank(held), node.id)
    };
    let (state, claims) = (keys::state(log), keys::claims(log));
    let mut command = node.scripts.claim.over(&[&state, &claims]);
    command.arg(&node.id).arg(claim).arg(seen);
    command.arg(WINDOW_MS).arg(SILENCE_MS);
    live.run(&node.scripts.claim, &command).await
}

/// What this node can fill a log with: what its mirror holds, not what memory knows. A mirror that cannot be written claims nothing.
async fn claimable(node: &RedisNode, log: &LogName) -> Head {
    if node.health.borrow().mirror.is_some() {
        return Head::START;
    }
    node.mirror.reach(log, node.log_heads.head(log).sequence).await;
    node.mirror.head(log)
}

async fn fill(node: &RedisNode, live: &RedisConnection, log: &LogName) -> Result<(), ReseedError> {
    let Loaded { state, tail, head } = node.load(log).await?;
    tracing::warn!(%log, epoch = %head.epoch.next(), revision = %head.revision, "re-seeding the log in Redis from this node's copy");
    let backfill = Backfill::begin(live, log, &node.id).await?;
    let mut after = Sequence(0);
    while after < head.sequence {
        let entries = node.mirror.store.read(log, after, BATCH).await?;
        let Some(last) = entries.last() else { break };
        after = last.commit.sequence;
        backfill.add(&entries).await?;
        if ask(node, live, log, keys::RESEEDING).await? != "fill" {
            return Ok(());
        }
    }
    keep_kills_of_stream(node, live, log).await?;
    let entry = epoch_entry(node, head)?;
    backfill.add(std::slice::from_ref(&entry)).await?;
    let state = state_at(log, state, &tail, &entry);
    backfill.finish(head.after(&entry), state.as_ref()).await?;
    if backfill.switch(&node.scripts.switch, Some(&node.id)).await? {
        tracing::warn!(%log, epoch = %entry.commit.epoch, "the log in Redis is re-seeded");
    }
    Ok(())
}

/// The state of an environment's log at its end.
fn state_at(log: &LogName, state: Option<StoredState>, tail: &[Sealed], last: &Sealed) -> Option<StoredState> {
    let LogName::Environment(environment) = log else { return None };
    let mut state = state.unwrap_or_else(|| StoredState::empty(environment.clone()));
    tail.iter().chain([last]).for_each(|entry| state.apply(entry));
    Some(state)
}

/// The entry that begins the next epoch.
fn epoch_entry(node: &RedisNode, head: Head) -> Result<Sealed, serde_json::Error> {
    let beginning = EpochStart {
        at: node.clock.now(),
        node: &node.name,
        cause: EpochCause::Reseeded,
        reason: "the store lost this log or had a different one; it was re-seeded from the nodes' copies",
    };
    epoch::begin(head, head.epoch.next(), beginning)
}

/// Begins a new epoch in a log that was adopted within an epoch, so that readers do not mix two histories.
async fn begin_epoch(node: &RedisNode, log: &LogName) -> Result<(), ReseedError> {
    let expected = node.log_heads.head(log);
    let append = Append {
        log: log.clone(),
        expected,
        entries: vec![epoch_entry(node, expected)?],
    };
    // If another node was faster, its entry serves as well.
    if let Err(error) = query::append(&node.connector, &node.scripts.append, &append).await {
        tracing::info!(%log, %error, "did not begin the epoch: another node did, or the next comparison will");
    }
    Ok(())
}

/// Replaces this node's copy by the log in Redis.
async fn adopt(node: &RedisNode, live: &RedisConnection, log: &LogName) -> Result<(), ReseedError> {
    let entries = query::whole_log(live, log).await?;
    node.mirror.reach(log, node.log_heads.head(log).sequence).await;
    let known = node.mirror.store.read(log, Sequence(0), usize::MAX).await?;
    let common = entries.iter().zip(&known).take_while(|(new, old)| new.digest == old.digest).count();
    let orphaned: Vec<_> = known.iter().skip(common).cloned().collect();
    tracing::warn!(%log, orphaned = orphaned.len(), "adopting the log in Redis, which other nodes re-seeded or wrote");
    let state = match log {
        LogName::Environment(environment) => query::state(live, environment).await?,
        LogName::System => None,
    };
    let contents = Contents {
        log: log.clone(),
        entries,
        // A state that is newer than the fetched entries does no harm: it is stored another time.
        state,
    };
    if *log == LogName::System {
        let (before, now) = (environments(&known), environments(&contents.entries));
        let gone = before.difference(&now).map(|key| LogName::Environment(key.clone()));
        for ended in gone.filter_map(|log| node.log_heads.forget(&log)) {
            node.lose(ended).await;
        }
        now.into_iter().map(LogName::Environment).for_each(|log| node.log_heads.track(&log));
    }
    // Before the mirror forgets them: a node that dies in between finds them in its journal.
    journal(node, orphans::to_journal(log, &orphaned, &contents.entries, &node.name)).await;
    let loaded = contents.loaded();
    let head = node.mirror.replace(contents).await?;
    node.log_heads.set(log, head);
    // Not from the mirror: its disk may fail at this moment, and the writer must hear of it.
    node.tell_replaced_by(log, loaded, orphaned).await;
    Ok(())
}

/// Journals what the log in Redis has and the one that takes its place lacks: the node that wrote it may be gone.
async fn keep_kills_of_stream(node: &RedisNode, live: &RedisConnection, log: &LogName) -> Result<(), ReseedError> {
    let own = node.mirror.store.read(log, Sequence(0), usize::MAX).await?;
    let (mut stored, mut chain) = (Vec::new(), Head::START.chain);
    loop {
        let after = Sequence(stored.len() as u64);
        let raw = query::entries(live, log, after, BATCH).await?;
        let count = raw.len();
        for raw in raw {
            // What does not follow was damaged, and proves nothing.
            let Ok(entry) = Sealed::open(raw.sequence, &raw.body, raw.digest, &chain) else {
                break;
            };
            chain = entry.digest;
            stored.push(entry);
        }
        if count < BATCH || stored.len() as u64 != after.0 + count as u64 {
            break;
        }
    }
    let common = stored.iter().zip(&own).take_while(|(stored, own)| stored.digest == own.digest).count();
    let lost = stored.get(common..).unwrap_or_default();
    journal(node, orphans::to_journal(log, lost, &own, &node.name)).await;
    Ok(())
}

async fn journal(node: &RedisNode, records: Vec<JournalRecord>) {
    for record in records {
        let journal = node.journal.clone();
        if let Ok(Err(error)) = tasks::blocking(move || journal.append(&record)).await {
            tracing::error!(%error, "a kill or a revocation that the new log lacks cannot be journaled yet");
        }
    }
}

/// Fetches a log into a mirror that lost what it had not flushed when its disk failed, and that no longer follows.
pub(super) async fn refill_mirror(node: &RedisNode, live: &RedisConnection, log: &LogName) -> Result<(), ReseedError> {
    let contents = Contents {
        log: log.clone(),
        entries: query::whole_log(live, log).await?,
        state: None,
    };
    // Only the log that this node knows; another one is settled first.
    let known = node.log_heads.head(log);
    let place = usize::try_from(known.sequence.0.saturating_sub(1)).unwrap_or(usize::MAX);
    if contents.entries.get(place).is_some_and(|entry| entry.digest == known.chain) {
        node.mirror.replace(contents).await?;
    }
    Ok(())
}

/// The environments that exist after a system log.
pub(super) fn environments(system: &[Sealed]) -> BTreeSet<EnvironmentKey> {
    let mut environments = BTreeSet::new();
    for change in system.iter().flat_map(|entry| &entry.commit.changes) {
        if let Change::PutEnvironment(record) = change {
            environments.insert(record.key.clone());
        } else if let Change::DeleteEnvironment(key) = change {
            environments.remove(key);
        }
    }
    environments
}

/// Replaces a log by `contents`, whatever it contained. For restoring a backup.
pub(super) async fn install(node: &RedisNode, contents: Contents) -> Result<(), ReseedError> {
    let live = node.connector.connection()?;
    let log = contents.log.clone();
    let backfill = Backfill::begin(&live, &log, &node.id).await?;
    backfill.add(&contents.entries).await?;
    let head = contents.head();
    let state = state_of(&contents);
    backfill.finish(head, state.as_ref()).await?;
    backfill.switch(&node.scripts.switch, None).await?;
    node.mirror.replace(contents).await?;
    node.log_heads.set(&log, head);
    Ok(())
}

/// The state at the end of a log, from the newest one that is known.
fn state_of(contents: &Contents) -> Option<StoredState> {
    let LogName::Environment(environment) = &contents.log else { return None };
    let state = contents.state.clone();
    let mut state = state.unwrap_or_else(|| StoredState::empty(environment.clone()));
    let from = state.head.sequence;
    contents
        .entries
        .iter()
        .filter(|entry| entry.commit.sequence > from)
        .for_each(|entry| state.apply(entry));
    Some(state)
}
