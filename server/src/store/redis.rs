//! The store on Redis: many nodes over one Redis, each with a mirror of everything in its data directory.
//!
//! ```text
//! append ──> Lua: is the head the expected one? then log (stream), state (hash) and head in one step ──> answer
//!                                       │
//! feed   <── XREAD BLOCK over all logs ─┘  each entry verified against the chain, own ones not repeated
//! mirror <── every entry, own and foreign, off the commit path
//! health_watch  compares heads every quarter of a second: gone, paused, emptied, older, diverged
//! ```
//!
//! `log_heads` is where this node's appends and the feed meet. All keys of a log share one hash tag (`keys`).

mod append;
mod backfill;
mod cluster_query;
mod connection;
mod durability;
mod fault;
mod feed;
mod health_watch;
mod keys;
mod lag;
mod log_heads;
mod log_status;
mod mend;
mod mirror;
mod node;
mod query;
mod reseed;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rand::RngExt as _;
use ripcord_proto::commit::Sealed;
use ripcord_proto::rest::health::HealthCode;
use ripcord_proto::{Position, Sequence};
use tokio::sync::{mpsc, oneshot, watch};

pub use self::cluster_query::{ClusterQuery, QueryHandler};
use self::connection::RedisConnector;
#[cfg(test)]
pub(crate) use self::keys::{RESEEDING, head_text};
#[cfg(test)]
pub(crate) use self::lag::Lag;
use self::log_heads::LogHeads;
#[cfg(test)]
pub(crate) use self::log_status::{LogStatus, ReseedStep, rank};
use self::mirror::Mirror;
use self::node::{RedisNode, Scripts};
use self::reseed::ReseedError;
use super::embedded::{EmbeddedStore, Flush};
use super::journal::Journal;
use super::state::{StoredState, keep_along};
use super::{Append, AppendError, Contents, CopyReport, FeedEvent, Head, Loaded, LogName, Settled, Store, StoreError, StoreHealth, StoreState};
use crate::clock::Clock;
use crate::tasks::{self, TaskSet};

/// Events that may wait for the receiver; beyond that, the feed waits.
const EVENTS: usize = 1024;
/// How long a start waits for Redis before it continues without it.
const FIRST_CONTACT: Duration = Duration::from_secs(3);
/// If more entries than this were fetched, the state is fetched too, so that starts need not replay them.
const WORTH_A_STATE: u64 = 512;

/// Settings of a store on Redis.
pub struct RedisConfig {
    /// `redis://[user:password@]host:port[/database]`.
    pub url: String,
    /// The data directory, for the mirror.
    pub directory: PathBuf,
    /// This node's name, which the other nodes see.
    pub node: String,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where the kills and revocations go that a replaced log lacks.
    pub journal: Journal,
}

impl std::fmt::Debug for RedisConfig {
    // The address can contain a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisConfig")
            .field("directory", &self.directory)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

/// The store on Redis.
#[derive(Debug)]
pub struct RedisStore {
    node: Arc<RedisNode>,
    tasks: TaskSet,
    events: Mutex<Option<mpsc::Receiver<FeedEvent>>>,
}

impl RedisStore {
    /// Opens the mirror, connects, and fetches what the mirror lacks. If Redis cannot be reached within a few seconds, it continues
    /// from the mirror, and [`Store::health`] says so.
    pub async fn open(config: RedisConfig) -> Result<Self, StoreError> {
        let unavailable = |error: redis::RedisError| StoreError::Unavailable(format!("invalid address of Redis: {error}"));
        let connector = RedisConnector::new(&config.url).map_err(unavailable)?;
        let (directory, clock) = (config.directory, Arc::clone(&config.clock));
        let opened = tasks::blocking(move || EmbeddedStore::open(&directory, Flush::Lazily, clock));
        let embedded = opened.await.map_err(|error| StoreError::Unavailable(error.to_string()))?.map_err(of_mirror)?;
        let (mirror, batches) = Mirror::new(embedded).await?;
        let (feed, events) = mpsc::channel(EVENTS);
        let tasks = TaskSet::default();
        let node = Arc::new(RedisNode {
            id: format!("{}-{:08x}", config.node, rand::rng().random::<u32>()),
            name: config.node,
            connector,
            log_heads: LogHeads::default(),
            mirror,
            scripts: Scripts::new(),
            health: watch::Sender::new(StoreHealth {
                state: StoreState::Unreachable,
                code: Some(HealthCode::StoreUnreachable),
                why: "not connected to Redis yet".to_owned(),
                ..StoreHealth::available(config.clock.now())
            }),
            feed,
            suspicion: tokio::sync::Notify::new(),
            closing: tasks.stop_token(),
            clock: config.clock,
            journal: config.journal,
        });
        for (log, head) in node.mirror.heads().clone() {
            node.log_heads.set(&log, head);
        }
        let store = Self {
            node,
            tasks,
            events: Mutex::new(Some(events)),
        };
        if let Err(error) = store.start(batches).await {
            store.tasks.end().await;
            return Err(error);
        }
        Ok(store)
    }

    /// Identifies this process among all that use the same Redis.
    pub fn id(&self) -> &str {
        &self.node.id
    }

    /// Queries to the other nodes over the same Redis; `handler` answers theirs. Call it once.
    pub fn cluster_query(&self, handler: Arc<dyn QueryHandler>) -> ClusterQuery {
        ClusterQuery::start(Arc::clone(&self.node), handler, &self.tasks)
    }

    async fn start(&self, batches: mpsc::Receiver<mirror::LogEntries>) -> Result<(), StoreError> {
        let node = Arc::clone(&self.node);
        let mirroring = async move { node.mirror.run(batches, &node.connector, node.closing.clone()).await };
        self.tasks.long_lived("redis-mirror", mirroring);
        let node = Arc::clone(&self.node);
        self.tasks.long_lived("redis-mirror-health", async move { node.watch_mirror().await });
        self.tasks.long_lived("redis-health", health_watch::run(Arc::clone(&self.node)));
        let mut health = self.node.health.subscribe();
        let reached = health.wait_for(|health| health.state != StoreState::Unreachable);
        if tokio::time::timeout(FIRST_CONTACT, reached).await.is_ok() {
            match self.fetch_all().await {
                Ok(()) => {}
                Err(error @ StoreError::Corrupt(_)) => return Err(error),
                Err(error) => tracing::warn!(%error, "cannot fetch what the mirror lacks; the feed will bring it"),
            }
        }
        self.tasks.long_lived("redis-feed", feed::run(Arc::clone(&self.node)));
        Ok(())
    }

    /// Fetches what the mirror lacks: first the system log, which names the environments, then theirs.
    async fn fetch_all(&self) -> Result<(), StoreError> {
        self.node.mirror.catch_up(&LogName::System, &self.node.connector).await?;
        // The log of a deleted environment was removed with the entry that deletes it; a new environment of that name starts at 0.
        let mirrored = self.node.mirror.look().await?;
        for log in self.node.log_heads.heads().into_keys().filter(|log| !mirrored.contains_key(log)) {
            self.node.log_heads.forget(&log);
        }
        let system = self.node.mirror.store.read(&LogName::System, Sequence(0), usize::MAX).await?;
        for environment in reseed::environments(&system) {
            self.node.log_heads.track(&LogName::Environment(environment));
        }
        // Only now: the health watch must not see the deletion of an environment before its log is forgotten.
        self.node.log_heads.set(&LogName::System, self.node.mirror.head(&LogName::System));
        for log in self.node.log_heads.heads().keys().filter(|log| **log != LogName::System) {
            self.fetch(log).await?;
        }
        Ok(())
    }

    async fn fetch(&self, log: &LogName) -> Result<(), StoreError> {
        let before = self.node.mirror.head(log);
        let is_new_here = before == Head::START;
        let fetched = self.node.mirror.catch_up(log, &self.node.connector).await.map_err(|error| {
            // The mirror is empty, so it cannot have diverged: the log in Redis is damaged.
            if is_new_here && matches!(error, StoreError::Chain { .. }) {
                return StoreError::Corrupt(format!(
                    "the log in Redis is damaged: {error}. It is not served. Start a node whose mirror is complete, or restore a backup"
                ));
            }
            error
        })?;
        self.node.log_heads.set(log, self.node.mirror.head(log));
        if let LogName::Environment(environment) = log
            && fetched > WORTH_A_STATE
        {
            let mirror = &self.node.mirror.store;
            let kept = mirror.state_before(log, before.position()).await?;
            keep_along(mirror, log, kept.unwrap_or_else(|| StoredState::empty(environment.clone()))).await?;
            if let Ok(live) = self.node.connector.connection()
                && let Ok(Some(state)) = query::state(&live, environment).await
            {
                mirror.keep_state(log, state).await?;
            }
        }
        Ok(())
    }
}

/// Adds to an error of the mirror how to recover: it is only a copy of what Redis has.
fn of_mirror(error: StoreError) -> StoreError {
    if let StoreError::Corrupt(why) = error {
        return StoreError::Corrupt(format!(
            "{why}. This is the node's mirror of Redis. If Redis or another node still has everything, move ripcord.redb and ripcord.head away and \
             start again; the mirror is then fetched again"
        ));
    }
    error
}

impl Store for RedisStore {
    fn load<'a>(&'a self, log: &'a LogName) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        self.node.load(log).boxed()
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), AppendError>> {
        // In a task of its own, so that it finishes even if the caller hangs up.
        let (answer, answered) = oneshot::channel();
        self.tasks.short_lived(append::run(Arc::clone(&self.node), append, answer));
        let lost = |_| Err(AppendError::Unknown("the store closed before it answered".to_owned()));
        answered.map(move |outcome| outcome.unwrap_or_else(lost)).boxed()
    }

    fn read<'a>(&'a self, log: &'a LogName, after: Sequence, limit: usize) -> BoxFuture<'a, Result<Vec<Sealed>, StoreError>> {
        async move {
            let known = self.node.log_heads.head(log).sequence;
            let limit_sequence = after.0.saturating_add(u64::try_from(limit).unwrap_or(u64::MAX));
            self.node.mirror.reach(log, known.min(Sequence(limit_sequence))).await;
            self.node.mirror.store.read(log, after, limit).await
        }
        .boxed()
    }

    fn state_before<'a>(&'a self, log: &'a LogName, at: Position) -> BoxFuture<'a, Result<Option<StoredState>, StoreError>> {
        self.node.mirror.store.state_before(log, at)
    }

    fn keep_state<'a>(&'a self, log: &'a LogName, state: StoredState) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            self.node.mirror.reach(log, state.head.sequence).await;
            self.node.mirror.store.keep_state(log, state).await
        }
        .boxed()
    }

    fn settle<'a>(&'a self, append: &'a Append) -> BoxFuture<'a, Result<Settled, StoreError>> {
        async move {
            if self.node.mirror.store.settle(append).await? == Settled::Written {
                return Ok(Settled::Written);
            }
            let unavailable = |error: connection::CallError| StoreError::Unavailable(error.to_string());
            let live = self.node.connector.connection().map_err(unavailable)?;
            let head = append.head();
            let before = Sequence(head.sequence.0.saturating_sub(1));
            let found = query::entries(&live, &append.log, before, 1).await.map_err(unavailable)?;
            let is_written = found.first().is_some_and(|raw| raw.sequence == head.sequence && raw.digest == head.chain);
            if !is_written {
                return Ok(Settled::NotWritten);
            }
            // The writer continues from here at once, so `log_heads` and the mirror must know the entry before the feed brings it.
            let known = self.node.log_heads.head(&append.log).sequence;
            let missing = usize::try_from(head.sequence.0.saturating_sub(known.0)).unwrap_or_default();
            if missing == 0 {
                return Ok(Settled::Written);
            }
            let raw = query::entries(&live, &append.log, known, missing).await.map_err(unavailable)?;
            if let Err(error) = self.node.ingest(&append.log, raw).await {
                tracing::warn!(log = %append.log, %error, "the log in Redis does not continue the one that this node knows");
                self.node.suspicion.notify_one();
            }
            Ok(Settled::Written)
        }
        .boxed()
    }

    fn compare<'a>(&'a self, log: &'a LogName) -> BoxFuture<'a, Result<Option<CopyReport>, StoreError>> {
        mend::compare(&self.node, log).map(|report| report.map(Some)).boxed()
    }

    fn logs(&self) -> BoxFuture<'_, Result<Vec<LogName>, StoreError>> {
        async move {
            for (log, head) in self.node.log_heads.heads() {
                self.node.mirror.reach(&log, head.sequence).await;
            }
            self.node.mirror.store.logs().await
        }
        .boxed()
    }

    fn install(&self, contents: Vec<Contents>) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            for contents in contents {
                let failed = |error: ReseedError| match error {
                    ReseedError::Store(error) => error,
                    ReseedError::Call(_) | ReseedError::Encode(_) => StoreError::Unavailable(error.to_string()),
                };
                reseed::install(&self.node, contents).await.map_err(failed)?;
            }
            Ok(())
        }
        .boxed()
    }

    fn drop_log<'a>(&'a self, log: &'a LogName) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let unavailable = |error: connection::CallError| StoreError::Unavailable(error.to_string());
            let live = self.node.connector.connection().map_err(unavailable)?;
            let known = self.node.log_heads.forget(log).map_or(Head::START, |ended| ended.head);
            let known = keys::head_text(known);
            let removed = query::remove(&live, &self.node.scripts.remove, log, &known).await;
            removed.map_err(unavailable)?;
            self.node.mirror.drop_log(log).await
        }
        .boxed()
    }

    fn health(&self) -> watch::Receiver<StoreHealth> {
        self.node.health.subscribe()
    }

    fn feed(&self) -> Option<mpsc::Receiver<FeedEvent>> {
        self.events.lock().take()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            cluster_query::say_goodbye(&self.node).await;
            self.tasks.end().await;
            self.node.connector.put(None);
            self.node.mirror.store.close().await
        }
        .boxed()
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.node.closing.cancel();
    }
}
