//! Starting everything: the writer of the system log, every environment, and the tasks that keep them up to date.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ripcord_proto::commit::Sealed;
use tokio::sync::{mpsc, watch};

use super::feed;
use super::orphans::Orphans;
use super::registry::{Environments, Inner, Overlays};
use crate::clock::Clock;
use crate::commit::idempotency::AnsweredCalls;
use crate::commit::traits::Sink;
use crate::commit::writer::{LogWriter, WriterDeps};
use crate::snapshot::board::Board;
use crate::snapshot::publisher::{self, Orphaned};
use crate::store::{LogName, Store, StoreError};
use crate::system::SystemState;
use crate::tasks::TaskSet;

/// What environments depend on.
pub struct EnvironmentDeps {
    /// Where commits become durable.
    pub store: Arc<dyn Store>,
    /// Where snapshots are served from.
    pub board: Arc<Board>,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// Runs tasks.
    pub tasks: TaskSet,
    /// Takes the entries that a re-seeded log lacks.
    pub orphans: Orphans,
    /// Ids of keys that are not valid, although the log does not say yet that they were revoked.
    pub revoked: BTreeSet<String>,
}

impl std::fmt::Debug for EnvironmentDeps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnvironmentDeps").field("store", &self.store).finish_non_exhaustive()
    }
}

/// The system log is published only through its watch.
struct SystemSink {
    orphaned: mpsc::UnboundedSender<Orphaned>,
}

impl Sink<SystemState> for SystemSink {
    fn prepare(&self, _: &SystemState, _: &SystemState, _: &[Sealed]) {}

    fn advance(&self, _: &SystemState, _: &SystemState, _: &[Sealed]) {}

    fn replaced(&self, _: &SystemState, orphaned: Vec<Sealed>) {
        if !orphaned.is_empty() {
            let (log, entries) = (LogName::System, orphaned);
            // The receiver lives as long as the server.
            let _ = self.orphaned.send(Orphaned { log, entries });
        }
    }
}

impl Environments {
    /// Loads the system log and every environment in it, and starts them.
    pub async fn start(deps: EnvironmentDeps, overlays: Overlays) -> Result<Self, StoreError> {
        let EnvironmentDeps {
            store,
            board,
            clock,
            tasks,
            orphans,
            revoked,
        } = deps;
        let loaded = store.load(&LogName::System).await?;
        let answered = Arc::new(AnsweredCalls::default());
        answered.follow(&loaded.tail);
        let (orphaned, orphaned_rx) = mpsc::unbounded_channel();
        let around = WriterDeps {
            store: Arc::clone(&store),
            sink: Arc::new(SystemSink { orphaned: orphaned.clone() }) as Arc<dyn Sink<SystemState>>,
            clock: Arc::clone(&clock),
            restore: |_, loaded| Some(SystemState::restore(loaded)),
        };
        let (writer, system) = LogWriter::new(LogName::System, SystemState::restore(&loaded).withholding(revoked), answered, around);
        tasks.long_lived("system-log-writer", writer.run(tasks.stop_token()));
        let (keeper, states) = mpsc::channel(4);
        tasks.long_lived("state-snapshots", publisher::keep_states(Arc::clone(&store), states, tasks.stop_token()));
        let inner = Inner {
            running: ArcSwap::default(),
            changed: watch::Sender::new(()),
            system,
            store,
            board,
            clock,
            tasks,
            orphaned,
            orphans: orphans.clone(),
            keeper,
            overlays,
        };
        let environments = Self { inner: Arc::new(inner) };
        environments.reconcile().await?;
        let (tasks, stop) = (&environments.inner.tasks, environments.inner.tasks.stop_token());
        tasks.long_lived("environments", environments.clone().keep_reconciled(stop.clone()));
        tasks.long_lived("orphans", orphans.take(Arc::clone(environments.clock()), orphaned_rx, stop.clone()));
        if let Some(events) = environments.inner.store.feed() {
            tasks.long_lived("feed", feed::follow(environments.clone(), events, stop));
        }
        Ok(environments)
    }
}
