//! Rollouts: a plan raises a split step by step; each step is held for a while and judged by gates.
//!
//! ```text
//! plan ──► acts: start ──► record ──► runner: the desk of the environment, on the node that drives
//!                            ▲           │  gates read, holds run out, windows open  ──► decide ──► step, pause, take back
//!                            └── moves: each a commit that is decided on the record and the split that it finds ◄──┘
//! ```
//!
//! Nothing but the record is relied on: a node that starts, or takes over, goes on from it. A step is a commit on condition that
//! the record is what it was, with the driver's fencing token, so that none is taken twice or skipped. Holds run by the monotonic
//! clock; a node that takes up a rollout works out what is left from the record's timestamps, and a clock that went back makes a
//! hold longer, never shorter than what was left. A machine that is suspended does not count the time: the hold goes on where it was.

pub mod actions;
mod commits;
mod controller;
mod decide;
mod gate;
mod gate_events;
mod messages;
pub mod replay;
pub mod step;
mod transition;
mod wait;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ripcord_proto::gate::GateReading;
use ripcord_proto::rollout::Rollout;
use ripcord_proto::{EnvironmentKey, RolloutId};

pub use self::gate_events::GateFired;
use crate::check::Checks;
use crate::commit::CommitError;
use crate::environment::Environments;
use crate::kill::Kills;
use crate::leader::LeaderLease;
use crate::outcome::reports::Reports;

/// How long a connection to Prometheus may take.
const CONNECT: Duration = Duration::from_secs(5);

/// What rollouts are driven with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rollouts {
    environments: Environments,
    drivers: LeaderLease,
    kills: Kills,
    checks: Checks,
    reports: Arc<dyn Reports>,
    http: reqwest::Client,
    live: Arc<Mutex<BTreeMap<RolloutId, Vec<GateReading>>>>,
    gate_events: gate_events::GateEvents,
}

impl Rollouts {
    /// Drives the rollouts of every environment that this node drives, until the server stops.
    pub fn start(environments: Environments, drivers: LeaderLease, kills: Kills, checks: Checks, reports: Arc<dyn Reports>) -> Self {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .user_agent(concat!("ripcord-gate/", env!("CARGO_PKG_VERSION")));
        let rollouts = Self {
            environments,
            drivers,
            kills,
            checks,
            reports,
            http: http.build().unwrap_or_default(),
            live: Arc::default(),
            gate_events: gate_events::GateEvents::new(),
        };
        let this = rollouts.clone();
        rollouts.environments.in_each("rollouts", move |place| controller::run(this.clone(), place));
        rollouts
    }

    /// The gates that fail from now on, of those rollouts that this node drives.
    pub fn gate_events(&self) -> tokio::sync::broadcast::Receiver<GateFired> {
        self.gate_events.listen()
    }

    /// A rollout when it is over, or as it is after `patience`, with what its gates say now as far as this node reads them.
    ///
    /// # Errors
    /// The environment or the rollout is not there.
    pub async fn settled(&self, environment: &EnvironmentKey, id: &RolloutId, patience: Duration) -> Result<Rollout, CommitError> {
        wait::settled(&self.environments, environment, id, patience)
            .await
            .map(|rollout| self.with_readings(rollout))
    }

    /// The record with what its gates say now, as far as this node reads them.
    pub fn with_readings(&self, mut rollout: Rollout) -> Rollout {
        if !rollout.state.is_final()
            && let Some(readings) = self.live().get(&rollout.id)
        {
            rollout.gates.clone_from(readings);
        }
        rollout
    }

    fn live(&self) -> parking_lot::MutexGuard<'_, BTreeMap<RolloutId, Vec<GateReading>>> {
        self.live.lock()
    }
}
