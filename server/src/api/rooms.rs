//! What handlers work with, behind permits: each way in takes the proof that the caller may go it.

use std::sync::Arc;

use jiff::Timestamp;
use ripcord_proto::problem::Code;
use ripcord_proto::settings::Settings;
use ripcord_proto::{EnvironmentKey, FlagKey, Position, SegmentKey, Snapshot};
use tokio::sync::watch;

use super::write::Prepared;
use crate::access::permit::{Administer, Allows, Edit, Kill, Read, Report, Restore};
use crate::access::{Clearance, Permit};
use crate::commit::plan::Plan;
use crate::commit::state::EnvironmentState;
use crate::commit::{CommitError, Committed, Draft};
use crate::driver::Drivers;
use crate::environment::Environments;
use crate::fleet::Fleet;
use crate::http::Refusal;
use crate::kill::{self, Kills, Restored};
use crate::outcome::Outcomes;
use crate::peer::Peers;
use crate::snapshot::publication::Served;
use crate::store::{LogName, Store, StoreHealth, StoreState};
use crate::system::{SystemDraft, SystemState};
use crate::telemetry::{Metrics, names};

/// What the rooms are made of.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Environments and their commit paths.
    pub environments: Environments,
    /// Kills.
    pub kills: Kills,
    /// Who is connected and has confirmed what.
    pub fleet: Fleet,
    /// Which node drives what goes on by itself.
    pub drivers: Drivers,
    /// Other nodes.
    pub peers: Peers,
    /// What applications report.
    pub outcomes: Outcomes,
    /// The metrics of the process.
    pub metrics: Metrics,
    /// This node's name.
    pub node: String,
}

/// All that handlers may reach, each part behind the permit for it.
#[derive(Debug)]
pub(super) struct Rooms {
    parts: Parts,
    health: watch::Receiver<StoreHealth>,
}

impl Rooms {
    /// Opens them.
    pub(super) fn new(parts: Parts) -> Self {
        let health = parts.environments.store().health();
        Self { parts, health }
    }

    /// What the environment serves.
    pub(super) fn served(&self, permit: &Permit<Read>) -> Result<Arc<Served>, Refusal> {
        self.board(permit.environment())
    }

    /// What the environment serves, to check reports against.
    pub(super) fn served_to_reporters(&self, permit: &Permit<Report>) -> Result<Arc<Served>, Refusal> {
        self.board(permit.environment())
    }

    /// What the environment serves, to tell what a kill does to it.
    pub(super) fn served_to_killers(&self, permit: &Permit<Kill>) -> Result<Arc<Served>, Refusal> {
        self.board(permit.environment())
    }

    /// What the environment serves, to tell what a restore does to it.
    pub(super) fn served_to_restorers(&self, permit: &Permit<Restore>) -> Result<Arc<Served>, Refusal> {
        self.board(permit.environment())
    }

    /// Whether the flag exists already: who may put it may know.
    pub(super) fn has_flag(&self, permit: &Permit<Edit>, key: &FlagKey) -> Result<bool, Refusal> {
        Ok(self.board(permit.environment())?.snapshot.flags.get(key.as_str()).is_some())
    }

    /// Whether these are the settings already.
    pub(super) fn has_settings(&self, permit: &Permit<Administer>, settings: Settings) -> Result<bool, Refusal> {
        Ok(self.board(permit.environment())?.snapshot.settings == settings)
    }

    /// The position of the flag's last change, as its ETag tells it.
    pub(super) fn last_change_of_flag(&self, environment: &EnvironmentKey, key: &FlagKey) -> Option<Position> {
        Some(self.board(environment).ok()?.snapshot.flags.get(key.as_str())?.changed())
    }

    /// The position of the segment's last change, as its ETag tells it.
    pub(super) fn last_change_of_segment(&self, environment: &EnvironmentKey, key: &SegmentKey) -> Option<Position> {
        Some(self.board(environment).ok()?.snapshot.segments.get(key.as_str())?.changed())
    }

    fn board(&self, environment: &EnvironmentKey) -> Result<Arc<Served>, Refusal> {
        let served = self.parts.environments.board().served(environment.as_str());
        served.ok_or_else(|| Refusal::new(Code::NotReady, format!("Environment {environment} is being loaded.")).retry_after(1))
    }

    /// Since when answers are stale, where they are.
    pub(super) fn stale(&self) -> Option<Timestamp> {
        let health = self.health.borrow();
        match health.state {
            StoreState::Available => None,
            StoreState::Unreachable | StoreState::Reseeding => Some(health.since),
        }
    }

    /// Submits what a permit prepared.
    pub(super) async fn submit<A: Allows>(&self, prepared: Prepared<A>) -> Result<Committed, Refusal> {
        Ok(self.parts.environments.submit(prepared.into_draft()).await?)
    }

    /// What a draft would do, and the state that it was planned on; reading is enough for that.
    pub(super) fn plan(&self, prepared: &Prepared<Read>) -> Result<(Plan, Arc<EnvironmentState>), Refusal> {
        Ok(self.parts.environments.plan(prepared.draft())?)
    }

    /// Kills.
    pub(super) async fn kill(&self, _: &Permit<Kill>, order: kill::Order) -> Result<kill::Outcome, Refusal> {
        Ok(self.parts.kills.kill(order).await?)
    }

    /// Lifts a kill.
    pub(super) async fn restore(&self, id: ripcord_proto::KillId, prepared: Prepared<Restore>) -> Result<Restored, Refusal> {
        Ok(self.parts.kills.restore(id, prepared.into_draft()).await?)
    }

    /// Writes to the system log.
    pub(super) async fn submit_system(&self, _: &Clearance<Administer>, draft: SystemDraft) -> Result<Committed, Refusal> {
        Ok(self.parts.environments.submit_system(draft).await?)
    }

    /// Environments and keys.
    pub(super) fn system(&self, _: &Clearance<Administer>) -> Arc<SystemState> {
        self.parts.environments.system()
    }

    /// Commits to an environment that an administrator has just made.
    pub(super) async fn fill(&self, _: &Clearance<Administer>, draft: Draft) -> Result<Committed, Refusal> {
        Ok(self.parts.environments.submit(draft).await?)
    }

    /// What an environment that is to be copied serves.
    pub(super) fn source(&self, _: &Clearance<Administer>, environment: &EnvironmentKey) -> Result<Snapshot, Refusal> {
        if !self.parts.environments.system().environments.contains_key(environment.as_str()) {
            return Err(CommitError::NoEnvironment(environment.clone()).into());
        }
        Ok(self.board(environment)?.snapshot.clone())
    }

    /// How an environment is described.
    pub(super) fn record(&self, permit: &Permit<Read>) -> Option<ripcord_proto::change::EnvironmentRecord> {
        self.parts.environments.system().environments.get(permit.environment()).cloned()
    }

    /// The environment as its log has it, records and all.
    pub(super) fn state(&self, permit: &Permit<Read>) -> Result<Arc<EnvironmentState>, Refusal> {
        Ok(self.parts.environments.state(permit.environment())?)
    }

    /// The log of an environment and where it ends.
    pub(super) fn log(&self, permit: &Permit<Read>) -> Result<(LogName, ripcord_proto::Sequence), Refusal> {
        let state = self.parts.environments.state(permit.environment())?;
        Ok((LogName::Environment(permit.environment().clone()), state.head.sequence))
    }

    /// The system log and where it ends.
    pub(super) fn system_log(&self, _: &Clearance<Administer>) -> (LogName, ripcord_proto::Sequence) {
        (LogName::System, self.parts.environments.system().head.sequence)
    }

    /// The environment as it was.
    pub(super) async fn state_at(&self, permit: &Permit<Read>, position: Position) -> Result<Option<Snapshot>, Refusal> {
        let state = self.parts.environments.state_at(permit.environment(), position).await?;
        Ok(state.map(|state| state.snapshot))
    }

    /// The store, to read logs whose name a permit gave.
    pub(super) fn store(&self) -> &Arc<dyn Store> {
        self.parts.environments.store()
    }

    /// The store, whole.
    pub(super) fn whole_store(&self, _: &Clearance<Administer>) -> &Arc<dyn Store> {
        self.parts.environments.store()
    }

    /// Who is connected. Confirmations tell figures; names are told to those who may read.
    pub(super) fn fleet(&self) -> &Fleet {
        &self.parts.fleet
    }

    /// What applications report.
    pub(super) fn outcomes(&self) -> &Outcomes {
        &self.parts.outcomes
    }

    /// Takes the readings that are taken when somebody looks.
    pub(super) fn gauge(&self) {
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

    /// The metrics.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.parts.metrics
    }

    /// Other nodes.
    pub(super) fn peers(&self) -> &Peers {
        &self.parts.peers
    }

    /// Kills, for the exchange with peers.
    pub(super) fn kills(&self) -> &Kills {
        &self.parts.kills
    }

    /// This node's name.
    pub(super) fn node(&self) -> &str {
        &self.parts.node
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
