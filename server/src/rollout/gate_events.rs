//! Failed gates are sent to their listeners: triggers, which act on them.

use jiff::Timestamp;
use ripcord_proto::gate::{GateMode, GateVerdict, Measure};
use ripcord_proto::outcome::Traffic;
use ripcord_proto::rollout::Rollout;
use ripcord_proto::{EnvironmentKey, FlagKey, RolloutId};
use tokio::sync::broadcast;

use super::decide::DecisionInput;

/// Failed gates that are kept for a slow listener.
const HEARD: usize = 4_096;

/// A gate that failed at a step of a rollout. It is sent again until the rollout has reacted to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateFired {
    pub environment: EnvironmentKey,
    /// The rollout's id.
    pub rollout: RolloutId,
    /// The flag that it moves.
    pub flag: FlagKey,
    /// The step, from 1.
    pub step: u32,
    pub gate: String,
    /// The detail of its reading.
    pub detail: String,
    /// The kind of traffic that it judged.
    pub traffic: Traffic,
    /// Since when it judges; the same on every node.
    pub since: Timestamp,
}

/// Publishes failed gates.
#[derive(Debug, Clone)]
pub(super) struct GateEvents(broadcast::Sender<GateFired>);

impl GateEvents {
    pub(super) fn new() -> Self {
        Self(broadcast::Sender::new(HEARD))
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<GateFired> {
        self.0.subscribe()
    }

    /// Publishes the failed gates of a rollout that act.
    pub(super) fn tell(&self, environment: &EnvironmentKey, view: &DecisionInput<'_>) {
        let rollout: &Rollout = view.rollout;
        let failed = view.gates.iter().filter(|status| status.gate.mode == GateMode::Armed);
        let failed = failed.filter_map(|status| Some((status.gate, status.reading.filter(|reading| reading.verdict == GateVerdict::Fail)?)));
        for (gate, reading) in failed {
            let fired = GateFired {
                environment: environment.clone(),
                rollout: rollout.id.clone(),
                flag: rollout.plan.flag.clone(),
                step: rollout.step,
                gate: gate.name.clone(),
                detail: reading.detail.clone(),
                traffic: match &gate.measure {
                    Measure::Outcome(comparison) => comparison.traffic,
                    Measure::Prometheus(_) | Measure::Probe { .. } => Traffic::Real,
                },
                since: rollout.judged_since.unwrap_or(rollout.at),
            };
            // There may be no listener.
            let _ = self.0.send(fired);
        }
    }
}
