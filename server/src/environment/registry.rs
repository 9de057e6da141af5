//! The running environments and the system log.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ripcord_proto::commit::Recorded;
use ripcord_proto::frame::Overlay;
use ripcord_proto::{EnvironmentKey, Sequence};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::orphans::Orphans;
use crate::clock::Clock;
use crate::commit::committer::{Committer, OnDisconnect, Queue};
use crate::commit::idempotency::{AnsweredCalls, REMEMBERED, tells_of_proposal};
use crate::commit::plan::PlannedCommit;
use crate::commit::state::EnvironmentState;
use crate::commit::traits::{FeedMessage, Sink};
use crate::commit::writer::{LogWriter, WriterDeps};
use crate::commit::{self, Applied, CommitError, Draft, Outcome, StoreFailure};
use crate::snapshot::board::Board;
use crate::snapshot::publisher::{Orphaned, Publisher};
use crate::store::{Loaded, LogName, Store, StoreError};
use crate::system::{SystemDraft, SystemState};
use crate::tasks::TaskSet;

/// Entries read at once when a start looks up the answered calls of the last day.
const LOOK_BACK: u32 = 4_096;

/// A running environment.
#[derive(Debug, Clone)]
pub(crate) struct RunningEnvironment {
    /// Submits to its writer.
    pub(crate) committer: Committer<EnvironmentState>,
    /// Publishes to the board.
    pub(crate) publisher: Arc<Publisher>,
    pub(super) stop: CancellationToken,
}

/// All environments and the system log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Environments {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) running: ArcSwap<BTreeMap<EnvironmentKey, RunningEnvironment>>,
    pub(super) changed: watch::Sender<()>,
    pub(super) system: Committer<SystemState>,
    pub(super) store: Arc<dyn Store>,
    pub(super) board: Arc<Board>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tasks: TaskSet,
    pub(super) orphaned: mpsc::UnboundedSender<Orphaned>,
    pub(super) orphans: Orphans,
    pub(super) keeper: mpsc::Sender<(LogName, crate::store::state::StoredState)>,
    pub(super) overlays: Overlays,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("running", &self.running.load().keys()).finish_non_exhaustive()
    }
}

/// The provisional kills that a start finds in the journal, for each environment.
pub type Overlays = Arc<dyn Fn(&EnvironmentKey) -> Overlay + Send + Sync>;

impl Environments {
    /// Submits a draft; answers when every reader on this node is served by it.
    pub async fn submit(&self, draft: Draft) -> Result<Outcome, CommitError> {
        let urgent = draft.operations.iter().any(commit::Operation::is_urgent);
        let queue = if urgent { Queue::Urgent } else { Queue::Ordinary };
        self.running(&draft.environment)?.committer.submit(draft, queue, OnDisconnect::Finish).await
    }

    /// Submits a draft that must be committed or fail: if it becomes a proposal, that is an error.
    pub async fn commit(&self, draft: Draft) -> Result<Applied, CommitError> {
        self.submit(draft).await?.applied()
    }

    /// The answer that a call got before, if any. The same key with a different request is an error, and so is a proposal.
    pub fn answered(&self, environment: &EnvironmentKey, call: &commit::IdempotentCall) -> Result<Option<Recorded>, CommitError> {
        match self.running(environment)?.committer.answered().find(call)? {
            Some(recorded) if tells_of_proposal(&recorded) => Err(CommitError::Replayed(Box::new(recorded))),
            recorded => Ok(recorded),
        }
    }

    /// What a draft would do, and the hash that does exactly that.
    pub fn plan(&self, draft: &Draft) -> Result<PlannedCommit, CommitError> {
        let state = self.running(&draft.environment)?.committer.state();
        commit::plan_of(draft, state)
    }

    /// Submits to the system log. When this returns, a created environment is already being served.
    pub async fn submit_system(&self, draft: SystemDraft) -> Result<Outcome, CommitError> {
        let outcome = self.inner.system.submit(draft, Queue::Ordinary, OnDisconnect::Finish).await?;
        let mut changed = self.inner.changed.subscribe();
        let settled = |environments: &Self| {
            let running = environments.inner.running.load();
            let wanted = environments.inner.system.state();
            wanted.environments.keys().eq(running.keys())
        };
        while !settled(self) {
            if changed.changed().await.is_err() {
                break;
            }
        }
        Ok(outcome)
    }

    /// Environments and keys as they are now.
    pub fn system(&self) -> Arc<SystemState> {
        self.inner.system.state()
    }

    /// Changes of environments and keys from now on.
    pub fn watch_system(&self) -> watch::Receiver<Arc<SystemState>> {
        self.inner.system.watch()
    }

    /// The state of an environment's log as of the last swap.
    pub fn state(&self, environment: &EnvironmentKey) -> Result<Arc<EnvironmentState>, CommitError> {
        Ok(self.running(environment)?.committer.state())
    }

    /// The state of an environment's log and its changes; closes when the environment is deleted.
    pub fn watch(&self, environment: &EnvironmentKey) -> Result<watch::Receiver<Arc<EnvironmentState>>, CommitError> {
        Ok(self.running(environment)?.committer.watch())
    }

    /// The store, for readers of logs.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// The board, for readers of snapshots.
    pub fn board(&self) -> &Arc<Board> {
        &self.inner.board
    }

    /// The entries that this node had, but that logs which were filled again lack.
    pub fn orphans(&self) -> &Orphans {
        &self.inner.orphans
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The task set.
    pub(crate) fn tasks(&self) -> &TaskSet {
        &self.inner.tasks
    }

    pub(crate) fn running(&self, environment: &EnvironmentKey) -> Result<RunningEnvironment, CommitError> {
        if let Some(running) = self.inner.running.load().get(environment) {
            return Ok(running.clone());
        }
        // It was created, perhaps by another node, and is not loaded here yet.
        let system = self.inner.system.state();
        if system.environments.contains_key(environment.as_str()) {
            return Err(StoreFailure::NotReady(environment.clone()).into());
        }
        Err(system.no_environment(environment).into())
    }

    /// Starts and stops environments whenever the system log changes.
    pub(super) async fn keep_reconciled(self, stop: CancellationToken) {
        let mut system = self.watch_system();
        loop {
            tokio::select! {
                changed = system.changed() => if changed.is_err() { return },
                () = stop.cancelled() => return,
            }
            while let Err(error) = self.reconcile().await {
                tracing::warn!(%error, "an environment cannot be loaded yet");
                tokio::select! {
                    () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
                    () = stop.cancelled() => return,
                }
            }
        }
    }

    pub(super) async fn reconcile(&self) -> Result<(), StoreError> {
        let wanted = self.system();
        for (key, running) in self.inner.running.load().iter() {
            if !wanted.environments.contains_key(key.as_str()) {
                running.stop.cancel();
                self.change_running(|all| drop(all.remove(key)));
                self.inner.board.remove(key);
            }
        }
        for key in wanted.environments.keys() {
            if !self.inner.running.load().contains_key(key.as_str()) {
                self.start_one(key).await?;
            }
        }
        Ok(())
    }

    fn change_running(&self, change: impl FnOnce(&mut BTreeMap<EnvironmentKey, RunningEnvironment>)) {
        let mut all = BTreeMap::clone(&self.inner.running.load());
        change(&mut all);
        self.inner.running.store(Arc::new(all));
        self.inner.changed.send_replace(());
    }

    async fn start_one(&self, key: &EnvironmentKey) -> Result<(), StoreError> {
        let inner = &self.inner;
        let log = LogName::Environment(key.clone());
        let loaded = inner.store.load(&log).await?;
        let answered = Arc::new(AnsweredCalls::default());
        self.remember(&log, &loaded, &answered).await?;
        let state = EnvironmentState::restore(key.clone(), &loaded);
        let publisher = Publisher::start(
            Arc::clone(&inner.board),
            &state,
            (inner.overlays)(key),
            inner.orphaned.clone(),
            inner.keeper.clone(),
        );
        let publisher = Arc::new(publisher);
        let around = WriterDeps {
            store: Arc::clone(&inner.store),
            sink: Arc::clone(&publisher) as Arc<dyn Sink<EnvironmentState>>,
            clock: Arc::clone(&inner.clock),
            restore: restore_environment,
        };
        let (writer, committer) = LogWriter::new(log, state, answered, around);
        let stop = inner.tasks.stop_token().child_token();
        inner.tasks.short_lived(writer.run(stop.clone()));
        let running = RunningEnvironment {
            committer: committer.clone(),
            publisher,
            stop,
        };
        self.change_running(|all| drop(all.insert(key.clone(), running)));
        // Events that arrived between loading and now had no receiver.
        committer.feed(FeedMessage::Look).await;
        Ok(())
    }

    /// Looks up the answered calls of the last 24 hours in the log.
    async fn remember(&self, log: &LogName, loaded: &Loaded, answered: &AnsweredCalls) -> Result<(), StoreError> {
        let oldest = self.inner.clock.now() - REMEMBERED;
        let mut before = loaded.head.sequence;
        let mut pages = Vec::new();
        while before > Sequence(0) {
            let after = Sequence(before.0.saturating_sub(u64::from(LOOK_BACK)));
            let mut page = self
                .inner
                .store
                .read(log, after, usize::try_from(before.0 - after.0).unwrap_or_default())
                .await?;
            let went_past = page.first().is_none_or(|entry| entry.commit.at < oldest);
            page.retain(|entry| entry.commit.at >= oldest && entry.commit.idempotency.is_some());
            pages.push(page);
            if went_past {
                break;
            }
            before = after;
        }
        pages.iter().rev().for_each(|page| answered.follow(page));
        Ok(())
    }
}

fn restore_environment(log: &LogName, loaded: &Loaded) -> Option<EnvironmentState> {
    match log {
        LogName::Environment(key) => Some(EnvironmentState::restore(key.clone(), loaded)),
        LogName::System => None,
    }
}
