//! Triggers: agreed conditions that act by themselves, or ask.
//!
//! ```text
//! delivery ──► signature ──► signal ──► fate ──┬──► nothing, a repeat (counted), the end of an incident
//! gate of a rollout ─────────────────────┘     ├──► a record: waiting for a person, a dry run, held back
//!                                              └──► act: hold ─┐
//!                                                    rollback ─┼─ one commit with the record
//!                                                    kill ─────┘  at once, by the way of all kills; the record follows
//! ```
//!
//! One incident is one action. What a signal comes to is decided on the records that the commit finds (`trigger/fate.rs`), so that it does
//! not matter how often, in which order, or to how many nodes it is told. A kill does not wait for that: its id is made from the
//! incident, so that every node pulls the same one, and one that was restored never comes back.

mod action;
mod activation;
mod confirm;
pub mod crud;
mod decision;
mod dedup;
mod dry_run;
mod firing_record;
mod gate;
mod messages;
mod metrics;
mod signal;
pub mod signature;
mod webhook;

use std::sync::Arc;

use ripcord_proto::trigger::Firing;
use tokio::sync::broadcast;

use self::dedup::InFlight;
use self::dedup::RepeatCounts;
use self::dedup::ReplayCache;
use crate::check::Checks;
use crate::environment::Environments;
use crate::kill::Kills;
use crate::rollout::GateFired;

/// The room of triggers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Triggers {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    environments: Environments,
    kills: Kills,
    checks: Checks,
    node: String,
    replay_cache: ReplayCache,
    in_flight: InFlight,
    repeats: RepeatCounts,
}

impl Triggers {
    /// Opens the room; `gates` are those of this node's rollouts that fire. `node` is this node's name.
    pub fn start(environments: Environments, kills: Kills, checks: Checks, gates: broadcast::Receiver<GateFired>, node: &str) -> Self {
        let triggers = Self {
            inner: Arc::new(Inner {
                environments,
                kills,
                checks,
                node: node.to_owned(),
                replay_cache: ReplayCache::default(),
                in_flight: InFlight::default(),
                repeats: RepeatCounts::default(),
            }),
        };
        let tasks = triggers.inner.environments.tasks();
        tasks.long_lived("gates that fire triggers", gate::listen(triggers.clone(), gates, tasks.stop_token()));
        triggers
    }

    /// A firing with the repeats that this node has counted and not written down yet.
    pub fn counted(&self, mut firing: Firing) -> Firing {
        firing.repeats = firing.repeats.saturating_add(self.inner.repeats.unwritten(&firing.id));
        firing
    }
}
