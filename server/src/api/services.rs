//! What handlers work with. Reads go through the extractors of [`guarded`]; writes through [`AppState`], whose methods take a permit or
//! a write that was prepared with one.

pub(super) mod guarded;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::record::RecordKey;
use ripcord_proto::rest::rollbacks::RollbackPlan;
use ripcord_proto::rollback::Rollback;
use ripcord_proto::{EnvironmentKey, RollbackId, Snapshot};
use tokio::sync::watch;

use super::write::{Answered, PreparedWrite, replayed};
use crate::access::permit::{Administer, Allows, AnswerTrigger, Kill, Read, Restore, RollBack, SendPing};
use crate::access::{GlobalPermit, Permit};
use crate::check::Checks;
use crate::commit::plan::PlannedCommit;
use crate::commit::{CommitError, Draft, IdempotentCall, MissingItem, RenderedAnswer, StoreFailure};
use crate::environment::Environments;
use crate::fleet::Fleet;
use crate::http::ApiError;
use crate::kill::{self, Kills, RestoreOutcome};
use crate::outcome::Outcomes;
use crate::peer::Peers;
use crate::ping::{self, Pings};
use crate::proposal::Proposals;
use crate::rollback::actions;
use crate::rollback::{self, RollbackError, RollbackSpec, WrongRollbackState, undo, wait};
use crate::rollout::Rollouts;
use crate::snapshot::publication::Served;
use crate::store::{LogName, Store, StoreHealth, StoreState};
use crate::system::{SystemDraft, SystemState};
use crate::telemetry::{Metrics, names};
use crate::trigger::Triggers;

/// The parts of the server that handlers use.
#[derive(Debug, Clone)]
pub struct Services {
    /// Environments and their commit paths.
    pub environments: Environments,
    pub kills: Kills,
    /// Connected applications and what they have confirmed.
    pub fleet: Fleet,
    /// Sends pings.
    pub pings: Pings,
    pub rollouts: Rollouts,
    pub triggers: Triggers,
    /// Runs the probes of a rollback before it commits.
    pub checks: Checks,
    /// Other nodes.
    pub peers: Peers,
    /// What applications report.
    pub outcomes: Outcomes,
    /// The metrics of the process.
    pub metrics: Metrics,
    /// This node's name.
    pub node: String,
}

/// The parts behind the API. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct AppState {
    parts: Arc<Services>,
    health: watch::Receiver<StoreHealth>,
}

impl AppState {
    /// Over these parts.
    pub(super) fn new(parts: Services) -> Self {
        let health = parts.environments.store().health();
        Self {
            parts: Arc::new(parts),
            health,
        }
    }

    fn board(&self, environment: &EnvironmentKey) -> Result<Arc<Served>, ApiError> {
        let served = self.parts.environments.board().served(environment.as_str());
        served.ok_or_else(|| CommitError::from(StoreFailure::NotReady(environment.clone())).into())
    }

    /// Since when the store is away; `None` while it is available.
    pub(super) fn stale(&self) -> Option<Timestamp> {
        let health = self.health.borrow();
        match health.state {
            StoreState::Available => None,
            StoreState::Unreachable | StoreState::Reseeding => Some(health.since),
        }
    }

    /// Submits what a permit prepared.
    pub(super) async fn submit<A: Allows>(&self, prepared: PreparedWrite<A>) -> Result<Answered, ApiError> {
        Answered::to(prepared.into_draft(), &self.parts.environments).await
    }

    /// What a draft would do. Requires only the permission to read.
    pub(super) fn plan(&self, prepared: &PreparedWrite<Read>) -> Result<PlannedCommit, ApiError> {
        Ok(self.parts.environments.plan(prepared.draft())?)
    }

    /// Prepares a rollback.
    pub(super) async fn prepare_rollback(&self, permit: &Permit<RollBack>, order: &RollbackSpec) -> Result<rollback::PreparedRollback, ApiError> {
        let (environments, environment) = (&self.parts.environments, permit.environment());
        if self.stale().is_some() {
            let away = CommitError::Store(StoreFailure::Unavailable("it does not answer".to_owned()));
            return Err(RollbackError::store_away(away, &order.scope, None).into());
        }
        Ok(rollback::prepare(environments, environment, &permit.author(), order).await?)
    }

    /// The rollback that a call made before.
    pub(super) fn replayed_rollback(&self, permit: &Permit<RollBack>, call: &IdempotentCall) -> Result<Option<rollback::CommittedRollback>, ApiError> {
        Ok(rollback::replayed(&self.parts.environments, permit.environment(), call)?)
    }

    /// Commits a prepared rollback.
    pub(super) async fn roll_back(
        &self,
        draft: PreparedWrite<RollBack>,
        prepared: &rollback::PreparedRollback,
        order: &RollbackSpec,
    ) -> Result<rollback::CommittedRollback, ApiError> {
        Ok(rollback::commit(&self.parts.environments, &self.parts.checks, prepared, order, draft.into_draft()).await?)
    }

    /// What a rollback would do. Requires only the permission to read.
    pub(super) async fn plan_rollback(&self, permit: &Permit<Read>, order: &RollbackSpec, users: rollback::SampleUsers) -> Result<RollbackPlan, ApiError> {
        let environments = &self.parts.environments;
        let prepared = rollback::prepare(environments, permit.environment(), &permit.author(), order).await?;
        Ok(rollback::plan(environments, &prepared, users).await?)
    }

    /// Kills.
    pub(super) async fn kill(&self, _: &Permit<Kill>, order: kill::KillOrder) -> Result<kill::KillOutcome, ApiError> {
        Ok(self.parts.kills.kill(order).await?)
    }

    /// Lifts a kill.
    pub(super) async fn restore(&self, id: ripcord_proto::KillId, prepared: PreparedWrite<Restore>) -> Result<RestoreOutcome, ApiError> {
        Ok(self.parts.kills.restore(id, prepared.into_draft()).await?)
    }

    /// Writes to the system log.
    pub(super) async fn submit_system(&self, _: &GlobalPermit<Administer>, draft: SystemDraft) -> Result<Answered, ApiError> {
        let renderer = draft.renderer.clone();
        Answered::of(self.parts.environments.submit_system(draft).await?, &renderer)
    }

    /// Environments and keys.
    pub(super) fn system(&self, _: &GlobalPermit<Administer>) -> Arc<SystemState> {
        self.parts.environments.system()
    }

    /// Commits to an environment that an administrator has just created.
    pub(super) async fn fill(&self, _: &GlobalPermit<Administer>, draft: Draft) -> Result<Answered, ApiError> {
        Answered::to(draft, &self.parts.environments).await
    }

    /// What the source of a copy serves.
    pub(super) fn source(&self, _: &GlobalPermit<Administer>, environment: &EnvironmentKey) -> Result<Snapshot, ApiError> {
        if !self.parts.environments.system().environments.contains_key(environment.as_str()) {
            return Err(CommitError::NotFound(MissingItem::Environment(environment.clone())).into());
        }
        Ok(self.board(environment)?.snapshot.clone())
    }

    /// Changes the record of a rollback. `change` gets the record as it is at the commit.
    pub(super) async fn amend_rollback(
        &self,
        prepared: &PreparedWrite<RollBack>,
        id: &RollbackId,
        change: impl Fn(&Rollback) -> Result<Rollback, WrongRollbackState>,
    ) -> Result<Answered, ApiError> {
        let outcome = actions::amend(&self.parts.environments, prepared.draft(), id, change).await?;
        Answered::of(outcome, &prepared.draft().renderer)
    }

    /// Rolls forward again from a rollback.
    pub(super) async fn undo_rollback(
        &self,
        prepared: &PreparedWrite<RollBack>,
        order: &RollbackSpec,
        id: &RollbackId,
    ) -> Result<rollback::CommittedRollback, ApiError> {
        Ok(undo::commit(&self.parts.environments, &self.parts.checks, prepared.draft(), order, id).await?)
    }

    /// Waits for the outcome of a rollback, for `patience` at most, and returns its state.
    pub(super) async fn settled_rollback(&self, environment: &EnvironmentKey, id: &RollbackId, patience: Duration) -> Result<Rollback, ApiError> {
        let settled = wait::settled(&self.parts.environments, environment, id, patience).await?;
        settled.ok_or_else(|| CommitError::NotFound(MissingItem::Record(RecordKey::Rollback(id.clone()))).into())
    }

    /// The answer that a call got before, if any.
    pub(super) fn answered(&self, permit: &Permit<AnswerTrigger>, call: &IdempotentCall) -> Result<Option<RenderedAnswer>, ApiError> {
        self.parts.environments.answered(permit.environment(), call)?.map(replayed).transpose()
    }

    /// Approves, declines and withdraws proposals.
    pub(super) fn proposals(&self) -> Proposals {
        Proposals::new(self.parts.environments.clone(), self.parts.checks.clone())
    }

    /// Sends a ping.
    pub(super) async fn ping(&self, _: &Permit<SendPing>, order: ping::PingRequest) -> Result<ping::SentPing, ApiError> {
        Ok(self.parts.pings.send(order).await?)
    }

    /// The system log and its end.
    pub(super) fn system_log(&self, _: &GlobalPermit<Administer>) -> (LogName, ripcord_proto::Sequence) {
        (LogName::System, self.parts.environments.system().head.sequence)
    }

    /// The store, to read logs whose name a permit gave.
    pub(super) fn store(&self) -> &Arc<dyn Store> {
        self.parts.environments.store()
    }

    /// The whole store.
    pub(super) fn whole_store(&self, _: &GlobalPermit<Administer>) -> &Arc<dyn Store> {
        self.parts.environments.store()
    }

    /// Connected applications. Confirmations contain counts; names require the permission to read.
    pub(super) fn fleet(&self) -> &Fleet {
        &self.parts.fleet
    }

    /// What applications report.
    pub(super) fn outcomes(&self) -> &Outcomes {
        &self.parts.outcomes
    }

    /// Sets the gauges that are only read when scraped.
    fn set_gauges(&self) {
        let up = self.health.borrow().state == StoreState::Available;
        metrics::gauge!(names::STORE_UP).set(if up { 1.0 } else { 0.0 });
        let board = self.parts.environments.board();
        for environment in board.environments() {
            let Some(served) = board.served(environment.as_str()) else {
                continue;
            };
            let env = environment.to_string();
            let set = |name: &'static str, value: u64| metrics::gauge!(name, "env" => env.clone()).set(reading(value));
            set(names::REVISION, served.snapshot.position.revision.0);
            set(names::FLAGS, served.snapshot.flags.len() as u64);
            let kills = |provisional: &'static str, count: usize| {
                metrics::gauge!(names::KILLS, "env" => env.clone(), "provisional" => provisional).set(reading(count as u64));
            };
            kills("false", served.snapshot.kills.len());
            kills("true", served.overlay.kills.len());
        }
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        self.parts.environments.clock().now()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count is far below 2^53")]
const fn reading(count: u64) -> f64 {
    count as f64
}
