//! Background work of a node: rollbacks after their commit, rollouts, triggers, scheduled pings, and checkpoints that are marked
//! known-good automatically.

use std::sync::Arc;

use super::peers::OtherNodes;
use crate::check::Checks;
use crate::checkpoint::{AutoVouch, EvidenceSources};
use crate::clock::SystemClock;
use crate::environment::Environments;
use crate::fleet::Fleet;
use crate::kill::Kills;
use crate::leader::{LeaderLease, LiveNodes};
use crate::outbound::Outbound;
use crate::outcome::reports::Reports;
use crate::outcome::{Outcomes, PeerOutcomes};
use crate::ping::Pings;
use crate::rollback::controller::{self, RollbackDeps};
use crate::rollout::Rollouts;
use crate::trigger::Triggers;

/// The parts that the API uses.
pub(super) struct Background {
    pub(super) checks: Checks,
    pub(super) pings: Pings,
    pub(super) rollouts: Rollouts,
    pub(super) triggers: Triggers,
}

/// Starts all background work on this node.
pub(super) fn start(
    environments: &Environments,
    fleet: &Fleet,
    outcomes: &Outcomes,
    others: &Arc<OtherNodes>,
    node: &str,
    kills: &Kills,
    outbound: &Outbound,
) -> Background {
    let leader = LeaderLease::new(environments.clone(), Arc::clone(others) as Arc<dyn LiveNodes>, node, &others.own_id());
    let checks = Checks::calling(outbound.clone(), Arc::new(SystemClock));
    let deps = RollbackDeps {
        environments: environments.clone(),
        fleet: fleet.clone(),
        outcomes: outcomes.clone(),
        elsewhere: Arc::clone(others) as Arc<dyn PeerOutcomes>,
        checks: checks.clone(),
        lease: leader.clone(),
    };
    controller::start(deps);
    let pings = Pings::new(environments.clone(), fleet.clone(), leader.clone());
    pings.start();
    let vouching = AutoVouch {
        environments: environments.clone(),
        sources: EvidenceSources {
            fleet: fleet.clone(),
            checks: checks.clone(),
            outcomes: outcomes.clone(),
            elsewhere: Arc::clone(others) as Arc<dyn PeerOutcomes>,
        },
        lease: leader.clone(),
    };
    vouching.start();
    let reports = Arc::clone(others) as Arc<dyn Reports>;
    let rollouts = Rollouts::start(environments.clone(), leader.clone(), kills.clone(), checks.clone(), reports);
    let triggers = Triggers::start(environments.clone(), kills.clone(), checks.clone(), rollouts.gate_events(), node);
    Background {
        checks,
        pings,
        rollouts,
        triggers,
    }
}
