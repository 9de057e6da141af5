//! The state transitions of a rollout's record.

use jiff::Timestamp;
use ripcord_proto::Position;
use ripcord_proto::duration::HumanDuration;
use ripcord_proto::gate::{GateReading, GateVerdict};
use ripcord_proto::rollout::{GateHistory, MovedSplit, PastStep, Rollout, RolloutState};

use super::decide::RolloutStatus;
use super::messages;

/// What was seen of a step while it was held.
#[derive(Debug, Clone, Default)]
pub(super) struct StepObservations {
    pub(super) gates: Vec<GateReading>,
    pub(super) histories: Vec<GateHistory>,
}

/// Enters a state, or gives another reason for it.
pub(super) fn with_status(rollout: &Rollout, status: RolloutStatus, observed: &StepObservations) -> Rollout {
    Rollout {
        state: status.state,
        waits_for: status.waits_for,
        reason: status.reason,
        gates: observed.gates.clone(),
        ..rollout.clone()
    }
}

/// The next step has begun. `position` is where the split was moved, if it had to be.
pub(super) fn entered(rollout: &Rollout, observed: &StepObservations, moved: MovedSplit, position: Option<Position>, now: Timestamp) -> Rollout {
    let step = rollout.step + 1;
    let mut next = Rollout {
        state: RolloutState::Holding,
        waits_for: None,
        past: past(rollout, observed, now),
        step,
        since: Some(now),
        held_ms: 0,
        entered: Some(now),
        judged_since: Some(now),
        advance: None,
        moved: Some(moved),
        changed: None,
        gates: Vec::new(),
        position: position.or(rollout.position),
        ..rollout.clone()
    };
    next.reason = messages::holding(&next, next.plan.hold(step));
    next
}

/// Pauses it, and keeps how much of its hold has passed.
pub(super) fn paused(rollout: &Rollout, held: HumanDuration, reason: String) -> Rollout {
    Rollout {
        state: RolloutState::Paused,
        waits_for: None,
        reason,
        since: None,
        held_ms: held.millis(),
        ..rollout.clone()
    }
}

/// Continues it. A gate that had failed judges by what comes from now on.
pub(super) fn resumed(rollout: &Rollout, now: Timestamp) -> Rollout {
    let failed = rollout.gates.iter().any(|reading| reading.verdict == GateVerdict::Fail);
    let mut next = Rollout {
        state: if rollout.step == 0 { RolloutState::Scheduled } else { RolloutState::Holding },
        waits_for: None,
        since: Some(now).filter(|_| rollout.step > 0),
        judged_since: if failed { Some(now) } else { rollout.judged_since },
        ..rollout.clone()
    };
    next.gates.retain(|reading| reading.verdict != GateVerdict::Fail);
    next.reason = if rollout.step == 0 {
        messages::started(&next)
    } else {
        messages::holding(&next, next.plan.hold(next.step))
    };
    next
}

/// Ends it.
pub(super) fn over(rollout: &Rollout, observed: &StepObservations, state: RolloutState, reason: String, now: Timestamp) -> Rollout {
    Rollout {
        state,
        waits_for: None,
        reason,
        since: None,
        advance: None,
        past: past(rollout, observed, now),
        gates: observed.gates.clone(),
        finished: Some(now),
        ..rollout.clone()
    }
}

fn past(rollout: &Rollout, observed: &StepObservations, now: Timestamp) -> Vec<PastStep> {
    let mut past = rollout.past.clone();
    past.extend(rollout.entered.map(|entered| PastStep {
        step: rollout.step,
        entered,
        left: now,
        changed: rollout.changed,
        gates: observed.gates.clone(),
        looks: observed.histories.clone(),
    }));
    past
}
