//! The handle of a node's rollouts, and what their controllers share.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use ripcord_proto::RolloutId;
use ripcord_proto::gate::GateReading;
use ripcord_proto::rollout::Rollout;

use super::gate::prometheus::PrometheusClient;
use super::gate_events::GateEvents;
use crate::check::Checks;
use crate::environment::Environments;
use crate::kill::Kills;
use crate::leader::LeaderLease;
use crate::outcome::reports::Reports;

/// The rollouts of every environment on this node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rollouts {
    pub(super) environments: Environments,
    pub(super) lease: LeaderLease,
    pub(super) kills: Kills,
    pub(super) checks: Checks,
    pub(super) reports: Arc<dyn Reports>,
    pub(super) prometheus: PrometheusClient,
    pub(super) live: Arc<Mutex<BTreeMap<RolloutId, Vec<GateReading>>>>,
    pub(super) gate_events: GateEvents,
}

impl Rollouts {
    /// The record with the latest readings of its gates, as far as this node has them.
    pub fn with_readings(&self, mut rollout: Rollout) -> Rollout {
        if !rollout.state.is_final()
            && let Some(readings) = self.live().get(&rollout.id)
        {
            rollout.gates.clone_from(readings);
        }
        rollout
    }

    pub(super) fn live(&self) -> parking_lot::MutexGuard<'_, BTreeMap<RolloutId, Vec<GateReading>>> {
        self.live.lock()
    }
}
