//! Gates that fail are told to whoever listens: triggers, which act on them in their own way.

use jiff::Timestamp;
use ripcord_proto::gate::{GateMode, GateVerdict, Measure};
use ripcord_proto::outcome::Traffic;
use ripcord_proto::rollout::Rollout;
use ripcord_proto::{EnvironmentKey, FlagKey, RolloutId};
use tokio::sync::broadcast;

use super::decide::DecisionInput;

/// Gates that fail at once and are still heard by a listener that is slow.
const HEARD: usize = 4_096;

/// A gate that failed at a step of a rollout. It is told again as long as the rollout has not reacted to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateFired {
    /// Where.
    pub environment: EnvironmentKey,
    /// Of which rollout.
    pub rollout: RolloutId,
    /// The flag that it moves.
    pub flag: FlagKey,
    /// The step, from 1.
    pub step: u32,
    /// The gate.
    pub gate: String,
    /// What it saw, in words.
    pub detail: String,
    /// Whose traffic it judged by.
    pub traffic: Traffic,
    /// Since when it judged: the same whoever drives.
    pub since: Timestamp,
}

/// Where gates that fail are told.
#[derive(Debug, Clone)]
pub(super) struct GateEvents(broadcast::Sender<GateFired>);

impl GateEvents {
    pub(super) fn new() -> Self {
        Self(broadcast::Sender::new(HEARD))
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<GateFired> {
        self.0.subscribe()
    }

    /// Tells of the gates of a rollout that act and have failed.
    pub(super) fn tell(&self, environment: &EnvironmentKey, view: &DecisionInput<'_>) {
        let rollout: &Rollout = view.rollout;
        let failed = view.gates.iter().filter(|heard| heard.gate.mode == GateMode::Armed);
        let failed = failed.filter_map(|heard| Some((heard.gate, heard.reading.filter(|reading| reading.verdict == GateVerdict::Fail)?)));
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
            // Nobody has to listen.
            let _ = self.0.send(fired);
        }
    }
}
