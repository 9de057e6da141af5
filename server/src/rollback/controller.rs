//! What happens to a rollback after its commit: one state machine for each live record, on the leader.
//!
//! ```text
//! record (committed) -> confirmations -> checks -> record (confirmed | partial | failed)
//!        ^                                  |  stages: hold -> next step
//!        +----------------------------------+    each write to the log is conditional on the record
//! ```
//!
//! Only the record counts: a node that starts, or takes over, continues from it. People stop, resume and undo rollbacks by changing
//! the record too, on any node; a state machine that sees its record change drops what it was doing and starts again from it.

mod bad_exposure;
mod deps;
mod metrics;
mod next_step;
mod state_machine;
mod verification;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ripcord_proto::RollbackId;
use ripcord_proto::record::Records;
use ripcord_proto::rollback::Rollback;

pub use self::deps::RollbackDeps;
use self::verification::Pickup;
use crate::environment::EnvironmentTask;

/// Follows every rollback of which this node is the leader, until the server stops.
pub fn start(deps: RollbackDeps) {
    let environments = deps.environments.clone();
    environments.in_each("rollbacks", move |task| follow(deps.clone(), task));
}

async fn follow(deps: RollbackDeps, task: EnvironmentTask) {
    let EnvironmentTask { environment, mut states } = task;
    let mut followed = BTreeSet::<RollbackId>::new();
    let mut machines = FuturesUnordered::new();
    let mut seen: Option<Arc<Records>> = None;
    // What is live when a node starts was left by another process.
    let mut pickup = Pickup::Inherited;
    loop {
        let records = Arc::clone(&states.borrow_and_update().records);
        if !seen.as_ref().is_some_and(|known| Arc::ptr_eq(known, &records)) {
            for rollback in live(&records) {
                if followed.insert(rollback.id.clone()) {
                    machines.push(state_machine::run(&deps, &environment, rollback.id.clone(), pickup, states.clone()));
                }
            }
            seen = Some(records);
        }
        pickup = Pickup::JustCommitted;
        tokio::select! {
            changed = states.changed() => if changed.is_err() { return },
            Some(ended) = machines.next(), if !machines.is_empty() => {
                followed.remove(&ended);
                // It may have been resumed just when its state machine ended.
                seen = None;
            }
        }
    }
}

/// The rollbacks that are not over.
fn live(records: &Records) -> impl Iterator<Item = &Rollback> {
    let rollbacks = records.rollbacks.values();
    rollbacks.filter(|rollback| !rollback.state.is_final())
}
