//! Starting everything: the writer of the system log, every environment, and the tasks that keep them up to date.

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
use crate::snapshot::publisher;
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
}

impl std::fmt::Debug for EnvironmentDeps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnvironmentDeps").field("store", &self.store).finish_non_exhaustive()
    }
}

/// The system log is published only through its watch.
struct SystemSink;

impl Sink<SystemState> for SystemSink {
    fn prepare(&self, _: &SystemState, _: &SystemState, _: &[Sealed]) {}

    fn advance(&self, _: &SystemState, _: &SystemState, _: &[Sealed]) {}

    fn replaced(&self, _: &SystemState, _: Vec<Sealed>) {}
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
        } = deps;
        let loaded = store.load(&LogName::System).await?;
        let answered = Arc::new(AnsweredCalls::default());
        answered.follow(&loaded.tail);
        let around = WriterDeps {
            store: Arc::clone(&store),
            sink: Arc::new(SystemSink) as Arc<dyn Sink<SystemState>>,
            clock: Arc::clone(&clock),
            restore: |_, loaded| Some(SystemState::restore(loaded)),
        };
        let (writer, system) = LogWriter::new(LogName::System, SystemState::restore(&loaded), answered, around);
        tasks.long_lived("system-log-writer", writer.run(tasks.stop_token()));
        let (orphaned, orphaned_rx) = mpsc::unbounded_channel();
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
            keeper,
            overlays,
        };
        let environments = Self { inner: Arc::new(inner) };
        environments.reconcile().await?;
        let (tasks, stop) = (&environments.inner.tasks, environments.inner.tasks.stop_token());
        tasks.long_lived("environments", environments.clone().keep_reconciled(stop.clone()));
        tasks.long_lived("orphans", orphans.take(environments.clone(), orphaned_rx, stop.clone()));
        if let Some(events) = environments.inner.store.feed() {
            tasks.long_lived("feed", feed::follow(environments.clone(), events, stop));
        }
        Ok(environments)
    }
}
