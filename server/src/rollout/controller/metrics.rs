//! The counters of an environment's rollouts, looked up once.

use std::fmt;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};
use ripcord_proto::EnvironmentKey;
use ripcord_proto::gate::GateVerdict;
use ripcord_proto::rollout::RolloutState;

use crate::telemetry::names;

const LIVE: [RolloutState; 4] = [RolloutState::Scheduled, RolloutState::Holding, RolloutState::Waiting, RolloutState::Paused];
const OVER: [RolloutState; 4] = [RolloutState::Completed, RolloutState::Aborted, RolloutState::RolledBack, RolloutState::Failed];
const VERDICTS: [GateVerdict; 4] = [GateVerdict::Pass, GateVerdict::Fail, GateVerdict::Samples, GateVerdict::Unknown];

/// The counters of one environment.
pub(super) struct RolloutMetrics {
    live: [(RolloutState, Gauge); 4],
    over: [(RolloutState, Counter); 4],
    readings: [(GateVerdict, Counter); 4],
    steps: Counter,
    lateness: Histogram,
}

impl fmt::Debug for RolloutMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

impl RolloutMetrics {
    pub(super) fn new(environment: &EnvironmentKey) -> Self {
        let env = environment.to_string();
        Self {
            live: LIVE.map(|state| (state, metrics::gauge!(names::ROLLOUTS, "env" => env.clone(), "state" => state.as_str()))),
            over: OVER.map(|state| (state, metrics::counter!(names::ROLLOUT_ENDS, "env" => env.clone(), "state" => state.as_str()))),
            readings: VERDICTS.map(|verdict| {
                let counter = metrics::counter!(names::GATE_READINGS, "env" => env.clone(), "verdict" => verdict.as_str());
                (verdict, counter)
            }),
            steps: metrics::counter!(names::ROLLOUT_STEPS, "env" => env.clone()),
            lateness: metrics::histogram!(names::ROLLOUT_LATENESS, "env" => env),
        }
    }

    /// Sets the number of rollouts in each state.
    pub(super) fn count_states(&self, states: impl Iterator<Item = RolloutState>) {
        let mut counts = [0.0; 4];
        for state in states {
            let own = self.live.iter().position(|(own, _)| *own == state);
            if let Some(count) = own.and_then(|place| counts.get_mut(place)) {
                *count += 1.0;
            }
        }
        for ((_, gauge), count) in self.live.iter().zip(counts) {
            gauge.set(count);
        }
    }

    /// Counts an ended rollout.
    pub(super) fn ended(&self, state: RolloutState) {
        self.over.iter().filter(|(own, _)| *own == state).for_each(|(_, counter)| counter.increment(1));
    }

    /// Counts a reading of a gate.
    pub(super) fn read(&self, verdict: GateVerdict) {
        self.readings
            .iter()
            .filter(|(own, _)| *own == verdict)
            .for_each(|(_, counter)| counter.increment(1));
    }

    /// A step was taken, so long after the hold before it was over; `None` if it also waited for something else.
    pub(super) fn stepped(&self, late: Option<Duration>) {
        self.steps.increment(1);
        if let Some(late) = late {
            self.lateness.record(late.as_secs_f64());
        }
    }
}
