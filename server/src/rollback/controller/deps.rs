//! What the controllers of rollbacks need.

use std::sync::Arc;

use crate::check::Checks;
use crate::clock::Clock;
use crate::environment::Environments;
use crate::fleet::Fleet;
use crate::leader::LeaderLease;
use crate::outcome::{Outcomes, PeerOutcomes};

/// What the controllers of rollbacks need. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RollbackDeps {
    /// The environments with their records.
    pub environments: Environments,
    /// The connected applications and what they have confirmed.
    pub fleet: Fleet,
    /// Evaluations reported to this node.
    pub outcomes: Outcomes,
    /// Evaluations reported to other nodes.
    pub elsewhere: Arc<dyn PeerOutcomes>,
    pub checks: Checks,
    /// Says whether this node is the leader.
    pub lease: LeaderLease,
}

impl RollbackDeps {
    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        self.environments.clock()
    }
}
