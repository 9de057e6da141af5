//! The state that the tasks of a Redis store share.

use std::sync::Arc;
use std::time::Duration;

use ripcord_proto::change::Change;
use ripcord_proto::commit::Sealed;
use ripcord_proto::rest::health::HealthCode;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::connection::{CallError, RedisConnector, Script};
use super::fault::StoreFault;
use super::log_heads::{EndedLog, FeedMismatch, LogHeads, RawEntry};
use super::mirror::Mirror;
use super::{keys, query};
use crate::clock::Clock;
use crate::store::journal::Journal;
use crate::store::{Contents, FeedEvent, Loaded, LogName, Store as _, StoreError, StoreHealth, StoreState};

/// How long to pause before a mirror that could not be read is read again.
const READ_AGAIN: Duration = Duration::from_millis(200);

/// The scripts that this store runs.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) append: Script,
    pub(super) claim: Script,
    pub(super) switch: Script,
    pub(super) beat: Script,
    pub(super) remove: Script,
    pub(super) probe: Script,
    pub(super) mend: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            append: Script::new(include_str!("append.lua")),
            claim: Script::new(include_str!("claim.lua")),
            switch: Script::new(include_str!("switch.lua")),
            beat: Script::new(include_str!("beat.lua")),
            remove: Script::new(include_str!("remove.lua")),
            probe: Script::new(include_str!("probe.lua")),
            mend: Script::new(include_str!("mend.lua")),
        }
    }
}

/// The state that the tasks share.
#[derive(Debug)]
pub(super) struct RedisNode {
    /// This node's name, for people.
    pub(super) name: String,
    /// Distinguishes it from all others, even from one of the same name; new at each start.
    pub(super) id: String,
    pub(super) connector: RedisConnector,
    pub(super) log_heads: LogHeads,
    pub(super) mirror: Mirror,
    pub(super) scripts: Scripts,
    pub(super) health: watch::Sender<StoreHealth>,
    pub(super) feed: mpsc::Sender<FeedEvent>,
    /// Wakes the health watch: something does not match, so it compares heads at once.
    pub(super) suspicion: Notify,
    pub(super) closing: CancellationToken,
    pub(super) clock: Arc<dyn Clock>,
    /// Where the kills and revocations go that a replaced log lacks.
    pub(super) journal: Journal,
}

impl RedisNode {
    /// Sets the health of the store and logs a change of state.
    pub(super) fn report(&self, state: StoreState, fault: Option<StoreFault>) {
        let (code, why) = fault.map_or((None, String::new()), |fault| (Some(fault.code), fault.why));
        self.connector.explain(&why);
        self.health.send_if_modified(|health| {
            if health.state == state && health.why == why && health.code == code {
                return false;
            }
            if health.state != state || health.code != code {
                match state {
                    StoreState::Available => tracing::info!("the store is available"),
                    StoreState::Unreachable => tracing::warn!(why, code = code.map(HealthCode::as_str), "the store cannot be reached"),
                    StoreState::RefusesWrites => tracing::warn!(why, code = code.map(HealthCode::as_str), "the store takes no writes"),
                    StoreState::Reseeding => tracing::warn!(why, "the store is being re-seeded"),
                }
            }
            if health.state != state {
                health.since = self.clock.now();
            }
            health.state = state;
            health.code = code;
            health.why = why;
            true
        });
    }

    /// Notes whether the store has entries that this node lacks.
    pub(super) fn set_behind(&self, behind: bool) {
        self.health.send_if_modified(|health| std::mem::replace(&mut health.behind, behind) != behind);
    }

    /// Follows whether the mirror can be written. After a failure it may lack what it seemed to have.
    pub(super) async fn watch_mirror(&self) {
        let mut health = self.mirror.store.health();
        loop {
            let now = health.borrow_and_update().clone();
            let fault = (now.state != StoreState::Available).then_some(now.why);
            if fault.is_none()
                && self.health.borrow().mirror.is_some()
                && let Err(error) = self.mirror.recheck().await
            {
                tracing::warn!(%error, "the mirror cannot be read");
            }
            self.health.send_if_modified(|health| {
                let changed = health.mirror != fault;
                health.mirror = fault;
                changed
            });
            tokio::select! {
                changed = health.changed() => if changed.is_err() { return },
                () = self.closing.cancelled() => return,
            }
        }
    }

    /// Takes entries from the feed: verifies them, mirrors them, and passes on those that are new to this node.
    pub(super) async fn ingest(&self, log: &LogName, raw: Vec<RawEntry>) -> Result<(), FeedMismatch> {
        let ingested = self.log_heads.take(log, raw)?;
        self.mirror.offer(log, ingested.all.clone());
        for ended in ingested.ended {
            self.lose(ended).await;
        }
        let begins_epoch = |entry: &Sealed| entry.commit.changes.iter().any(|change| matches!(change, Change::NewEpoch(_)));
        if ingested.foreign.iter().any(begins_epoch) {
            self.tell_replaced(log).await;
        } else {
            self.tell_entries(log, ingested.foreign).await;
        }
        Ok(())
    }

    /// Removes the log of a deleted environment from Redis and from the mirror.
    pub(super) async fn lose(&self, ended: EndedLog) {
        let EndedLog { log, head } = ended;
        // Every node tries, so one that dies here leaves nothing behind.
        if let Ok(live) = self.connector.connection()
            && let Err(error) = query::remove(&live, &self.scripts.remove, &log, &keys::head_text(head)).await
        {
            tracing::info!(%log, %error, "cannot remove the log of a deleted environment from Redis");
        }
        if let Err(error) = self.mirror.drop_log(&log).await {
            tracing::error!(%log, %error, "cannot remove the mirror of a deleted environment");
        }
        self.tell(FeedEvent::Dropped { log }).await;
    }

    pub(super) async fn tell_entries(&self, log: &LogName, entries: Vec<Sealed>) {
        if !entries.is_empty() {
            self.tell(FeedEvent::Entries { log: log.clone(), entries }).await;
        }
    }

    /// Passes on that a log continues in a new epoch. A mirror whose disk takes no writes lacks it; what it has then is never
    /// passed on.
    async fn tell_replaced(&self, log: &LogName) {
        loop {
            let known = self.log_heads.head(log).sequence;
            match self.load(log).await {
                Ok(loaded) if loaded.head.sequence >= known => return self.tell_replaced_by(log, loaded, Vec::new()).await,
                Ok(_) => tracing::warn!(%log, "neither Redis nor the mirror has a replaced log yet; trying again"),
                Err(error) => tracing::error!(%log, %error, "cannot read a replaced log; trying again"),
            }
            tokio::select! {
                () = tokio::time::sleep(READ_AGAIN) => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    /// Passes on that a log is another one now.
    pub(super) async fn tell_replaced_by(&self, log: &LogName, loaded: Loaded, orphaned: Vec<Sealed>) {
        let event = FeedEvent::Replaced {
            log: log.clone(),
            loaded: Box::new(loaded),
            orphaned,
        };
        self.tell(event).await;
    }

    async fn tell(&self, event: FeedEvent) {
        tokio::select! {
            // Fails only if the receiver is gone, in which case the server is stopping.
            _ = self.feed.send(event) => {}
            () = self.closing.cancelled() => {}
        }
    }

    async fn load_from_redis(&self, log: &LogName) -> Result<Loaded, StoreError> {
        let away = |error: CallError| StoreError::Unavailable(error.to_string());
        let live = self.connector.connection().map_err(away)?;
        let contents = Contents {
            log: log.clone(),
            entries: query::whole_log(&live, log).await?,
            state: match log {
                LogName::Environment(environment) => query::state(&live, environment).await.map_err(away)?,
                LogName::System => None,
            },
        };
        Ok(contents.loaded())
    }

    /// A log from the mirror, as soon as the mirror has all known entries; from Redis if it does not get them in time. An older one only
    /// if Redis cannot be asked.
    pub(super) async fn load(&self, log: &LogName) -> Result<Loaded, StoreError> {
        let known = self.log_heads.head(log).sequence;
        self.mirror.reach(log, known).await;
        match self.mirror.store.load(log).await {
            Ok(loaded) if loaded.head.sequence >= known => Ok(loaded),
            older => self.load_from_redis(log).await.or(older),
        }
    }
}
