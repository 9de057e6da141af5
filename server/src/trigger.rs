//! Triggers: rules agreed beforehand that act on a signal, or ask a person first.
//!
//! ```text
//! webhook ──► signature ──► signal ──► decision ──┬──► nothing, a repeat (counted), the end of an alert
//! gate of a rollout ─────────────────────┘        ├──► a record: waiting for a person, a dry run, suppressed
//!                                                 └──► action: hold ─┐
//!                                                       rollback ────┼─ one commit with the record
//!                                                       kill ────────┘  at once, like every kill; the record follows
//! ```
//!
//! One alert causes one action. What a signal means is decided on the records that the commit finds (`trigger/decision.rs`), so it does
//! not matter how often, in which order, or at how many nodes it arrives. A kill does not wait for that: its id is derived from the
//! alert, so that every node makes the same kill, and one that was restored never comes back.

mod action;
mod activation;
mod confirm;
pub mod crud;
mod decision;
mod dedup;
mod dry_run;
mod effects;
mod error;
mod firing_record;
mod gate;
mod messages;
mod metrics;
mod signal;
pub mod signature;
#[cfg(test)]
mod tests;
mod webhook;

use std::sync::Arc;

use ripcord_proto::trigger::Firing;
use tokio::sync::broadcast;

pub use self::confirm::FiringConfirmation;
use self::dedup::{InFlight, RepeatCounts, ReplayCache};
pub use self::error::{DeliveryError, DryRunError};
use crate::check::Checks;
use crate::environment::Environments;
use crate::kill::Kills;
use crate::rollout::GateFired;

/// Handles deliveries, and the firings that wait for a person. Cheap to clone.
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
    /// Starts listening to `gates`, the failed gates of this node's rollouts. `node` is this node's name.
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
        tasks.long_lived("trigger-gates", triggers.clone().listen_to_gates(gates, tasks.stop_token()));
        triggers
    }

    /// A firing with the repeats that this node has counted but not written yet.
    pub fn counted(&self, mut firing: Firing) -> Firing {
        firing.repeats = firing.repeats.saturating_add(self.inner.repeats.unwritten(&firing.id));
        firing
    }
}
