//! Rollouts: a plan raises a split in steps; each step is held for a while and judged by gates.
//!
//! ```text
//! plan ──► actions: start ──► record ──► controller of the environment, on the leader
//!                               ▲           │  gates read, holds end, windows open  ──► decide ──► step, pause, roll back
//!                               └── commits: each decided on the record and the split that it finds ◄──┘
//! ```
//!
//! Only the record counts: a node that starts, or takes over, continues from it. A step is a commit on condition that the record has not
//! changed, with the leader's fencing token, so that no step is taken twice or skipped. Holds run by the monotonic clock; a node that
//! takes over works out what is left from the record's timestamps, so a clock that went back makes a hold longer, never shorter. Time
//! during which a machine is suspended does not count.

pub mod actions;
mod commits;
mod controller;
mod decide;
mod gate;
mod gate_events;
mod messages;
pub mod replay;
mod rollouts;
pub mod step;
mod transition;
mod window;

use std::sync::Arc;
use std::time::Duration;

use ripcord_proto::record::RecordKey;
use ripcord_proto::rollout::Rollout;
use ripcord_proto::{EnvironmentKey, RolloutId};

use self::gate::prometheus::PrometheusClient;
pub use self::gate_events::GateFired;
pub use self::rollouts::Rollouts;
use crate::check::Checks;
use crate::commit::{CommitError, MissingItem};
use crate::environment::Environments;
use crate::kill::Kills;
use crate::leader::LeaderLease;
use crate::outcome::reports::Reports;

impl Rollouts {
    /// Runs the rollouts of every environment of which this node is the leader, until the server stops.
    pub fn start(environments: Environments, lease: LeaderLease, kills: Kills, checks: Checks, reports: Arc<dyn Reports>) -> Self {
        let rollouts = Self {
            prometheus: PrometheusClient::new(checks.outbound().clone()),
            environments,
            lease,
            kills,
            checks,
            reports,
            live: Arc::default(),
            gate_events: gate_events::GateEvents::new(),
        };
        let this = rollouts.clone();
        rollouts.environments.in_each("rollouts", move |place| controller::run(this.clone(), place));
        rollouts
    }

    /// Gates that fail from now on, in the rollouts that this node runs.
    pub fn gate_events(&self) -> tokio::sync::broadcast::Receiver<GateFired> {
        self.gate_events.listen()
    }

    /// A rollout when it is over, or as it is after `patience`, with the latest readings of its gates that this node has.
    ///
    /// # Errors
    /// The environment or the rollout does not exist.
    pub async fn settled(&self, environment: &EnvironmentKey, id: &RolloutId, patience: Duration) -> Result<Rollout, CommitError> {
        let mut states = self.environments.watch(environment)?;
        let over = states.wait_for(|state| commits::entry_of(state, id).is_none_or(|(_, rollout)| rollout.state.is_final()));
        // On a timeout, or if the environment is deleted, the last known state is the answer.
        let _ = tokio::time::timeout(patience, over).await;
        let state = self.environments.state(environment)?;
        let found = commits::entry_of(&state, id).map(|(_, rollout)| rollout.clone());
        found
            .map(|rollout| self.with_readings(rollout))
            .ok_or_else(|| CommitError::NotFound(MissingItem::Record(RecordKey::Rollout(id.clone()))))
    }
}
