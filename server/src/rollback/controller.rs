//! What happens to a rollback after its commit: a procedure for each live record, on the node that drives the environment.
//!
//! ```text
//! record (committed) -> procedure -> confirmations -> checks -> record (confirmed | partial | failed)
//!        ^                  |  ladder: hold -> step                |
//!        +------------------+--------------------------------------+    each arrow into the log is conditional on the record
//! ```
//!
//! Nothing but the record is relied on: a node that starts, or takes over, goes on from it. People stop, hurry and undo rollbacks
//! by changing the record too, on whatever node; a procedure that sees its record change drops what it was doing and looks anew.

mod state_machine;
mod verification;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ripcord_proto::RollbackId;
use ripcord_proto::record::Records;
use ripcord_proto::rollback::Rollback;

use self::state_machine::Pickup;
use crate::check::Checks;
use crate::clock::Clock;
use crate::environment::{EnvironmentTask, Environments};
use crate::fleet::Fleet;
use crate::leader::LeaderLease;
use crate::outcome::{Outcomes, PeerOutcomes};

/// What rollbacks are seen through with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RollbackController {
    /// Where the records are.
    pub environments: Environments,
    /// Who has confirmed what.
    pub fleet: Fleet,
    /// What was served, as reported here.
    pub outcomes: Outcomes,
    /// What was reported to other nodes.
    pub elsewhere: Arc<dyn PeerOutcomes>,
    /// Asks probes.
    pub checks: Checks,
    /// Says whether this node drives.
    pub drivers: LeaderLease,
}

impl RollbackController {
    /// Sees every rollback through that this node drives, until the server stops.
    pub fn start(self) {
        let environments = self.environments.clone();
        environments.in_each("rollbacks", move |place| self.clone().drive(place));
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        self.environments.clock()
    }

    async fn drive(self, place: EnvironmentTask) {
        let EnvironmentTask { environment, mut states } = place;
        let mut under_way = BTreeSet::<RollbackId>::new();
        let mut procedures = FuturesUnordered::new();
        let mut looked_at: Option<Arc<Records>> = None;
        // What is live when a node begins was left by a process before it.
        let mut found = Pickup::Inherited;
        loop {
            let records = Arc::clone(&states.borrow_and_update().records);
            if !looked_at.as_ref().is_some_and(|known| Arc::ptr_eq(known, &records)) {
                for rollback in live(&records) {
                    if under_way.insert(rollback.id.clone()) {
                        procedures.push(state_machine::see_through(&self, &environment, rollback.id.clone(), found, states.clone()));
                    }
                }
                looked_at = Some(records);
            }
            found = Pickup::JustCommitted;
            tokio::select! {
                changed = states.changed() => if changed.is_err() { return },
                Some(ended) = procedures.next(), if !procedures.is_empty() => {
                    under_way.remove(&ended);
                    // It may have been resumed just when its procedure ended.
                    looked_at = None;
                }
            }
        }
    }
}

/// The rollbacks that something goes on with by itself.
fn live(records: &Records) -> impl Iterator<Item = &Rollback> {
    let rollbacks = records.rollbacks.iter().filter_map(|entry| entry.value().ok());
    rollbacks.filter(|rollback| !rollback.state.is_final())
}
