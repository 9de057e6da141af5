//! What handlers work with: the parts that the extractors of [`guarded`] open, each for the permits that its table names.

pub(super) mod confirmations;
pub(super) mod guarded;
pub(super) mod rollbacks;

use std::sync::Arc;

use jiff::Timestamp;
use ripcord_proto::EnvironmentKey;
use tokio::sync::watch;

use crate::access::GlobalPermit;
use crate::access::permit::Administer;
use crate::check::Checks;
use crate::commit::{CommitError, StoreFailure};
use crate::environment::Environments;
use crate::fleet::Fleet;
use crate::http::ApiError;
use crate::kill::Kills;
use crate::outcome::Outcomes;
use crate::peer::Peers;
use crate::ping::Pings;
use crate::rollout::Rollouts;
use crate::snapshot::publication::Served;
use crate::store::{LogName, Store, StoreHealth, StoreState};
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
            StoreState::Unreachable | StoreState::RefusesWrites | StoreState::Reseeding => Some(health.since),
        }
    }

    /// Environments and their commit paths, for a write that a permit prepared.
    pub(super) fn environments(&self) -> &Environments {
        &self.parts.environments
    }

    /// The system log and its end.
    pub(super) fn system_log(&self, _: &GlobalPermit<Administer>) -> (LogName, ripcord_proto::Sequence) {
        (LogName::System, self.parts.environments.system().head.sequence)
    }

    /// The store, to read logs whose name a permit gave.
    pub(super) fn store(&self) -> &Arc<dyn Store> {
        self.parts.environments.store()
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
