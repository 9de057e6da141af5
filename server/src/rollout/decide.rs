//! Decides what a rollout does next: a function of what is known, without I/O, clock or state of its own.
//!
//! ```text
//! a gate fails ──► rolled back or held          the hold is over ──► every gate read once more ──► approval ──► window ──► next step
//! ```
//!
//! No gate passes for lack of data: one that cannot be evaluated holds the step, one with too few samples at its deadline fails.

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use ripcord_proto::duration::HumanDuration;
use ripcord_proto::gate::{Gate, GateMode, GateReading, GateVerdict, Measure, OnFail};
use ripcord_proto::one_way::OneWay;
use ripcord_proto::rollout::{Rollout, RolloutState, WaitsFor};

use super::messages;
use super::window::WindowStatus;

/// What is known of a rollout.
#[derive(Debug, Clone)]
pub(super) struct DecisionInput<'a> {
    pub(super) rollout: &'a Rollout,
    pub(super) now: Timestamp,
    /// How long the step in force has been held.
    pub(super) held: HumanDuration,
    /// The readings of the gates that can judge the step.
    pub(super) gates: Vec<GateStatus<'a>>,
    /// Whether steps may begin.
    pub(super) opening: WindowStatus,
    /// The one-way door of the variant that it raises: it is never rolled back automatically.
    pub(super) door: Option<OneWay>,
}

/// A gate and its reading.
#[derive(Debug, Clone)]
pub(super) struct GateStatus<'a> {
    pub(super) gate: &'a Gate,
    pub(super) reading: Option<&'a GateReading>,
    /// How long the step had been held when it was read.
    pub(super) read_at: HumanDuration,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RolloutDecision {
    /// Nothing changes.
    Stay(RolloutStatus),
    /// The next step may begin, if the other rollouts of its release are as far.
    EnterStep,
    /// It is completed.
    Complete,
    /// A gate holds it.
    Pause(String),
    /// A gate rolls it back.
    RollBack(String),
}

/// Its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RolloutStatus {
    pub(super) state: RolloutState,
    pub(super) waits_for: Option<WaitsFor>,
    pub(super) reason: String,
}

impl RolloutStatus {
    pub(super) fn new(state: RolloutState, reason: String) -> Self {
        Self {
            state,
            waits_for: None,
            reason,
        }
    }

    pub(super) fn waiting(waits_for: WaitsFor, reason: String) -> Self {
        Self {
            state: RolloutState::Waiting,
            waits_for: Some(waits_for),
            reason,
        }
    }
}

/// Decides what a rollout does next.
pub(super) fn next(view: &DecisionInput<'_>) -> RolloutDecision {
    let rollout = view.rollout;
    if rollout.state.is_final() {
        return stays(rollout);
    }
    if let Some(failed) = failed(view) {
        return failed;
    }
    if rollout.state == RolloutState::Paused {
        return stays(rollout);
    }
    if rollout.step == 0 {
        return match rollout.plan.start_at {
            Some(start) if start > view.now && rollout.advance.is_none() => {
                RolloutDecision::Stay(RolloutStatus::new(RolloutState::Scheduled, messages::scheduled(start)))
            }
            Some(_) | None => entry(view),
        };
    }
    let hold = rollout.plan.hold(rollout.step);
    if rollout.advance.is_none() {
        if view.held < hold {
            return RolloutDecision::Stay(RolloutStatus::new(RolloutState::Holding, messages::holding(rollout, hold)));
        }
        if let Some(waiting) = unsettled(view, hold) {
            return RolloutDecision::Stay(waiting);
        }
    }
    if rollout.step == rollout.plan.last() {
        RolloutDecision::Complete
    } else {
        entry(view)
    }
}

fn stays(rollout: &Rollout) -> RolloutDecision {
    RolloutDecision::Stay(RolloutStatus {
        state: rollout.state,
        waits_for: rollout.waits_for,
        reason: rollout.reason.clone(),
    })
}

/// A gate that acts and has failed, or has had too few samples for too long. One that rolls back takes precedence over one that holds.
fn failed(view: &DecisionInput<'_>) -> Option<RolloutDecision> {
    let rollout = view.rollout;
    let armed = view.gates.iter().filter(|status| status.gate.mode == GateMode::Armed);
    let mut found: Vec<(OnFail, String)> = armed
        .filter_map(|status| {
            let reading = status.reading?;
            let detail = match reading.verdict {
                GateVerdict::Fail => reading.detail.clone(),
                GateVerdict::Samples if is_starved(view, status.gate) => format!("it still has too few samples after its deadline: {}", reading.detail),
                GateVerdict::Pass | GateVerdict::Samples | GateVerdict::Unknown => return None,
            };
            Some((status.gate.on_fail, messages::failed(rollout, &status.gate.name, &detail)))
        })
        .collect();
    found.sort_by_key(|(on_fail, _)| *on_fail == OnFail::Hold);
    match found.into_iter().next()? {
        (OnFail::Rollback, reason) if view.door.is_none() => Some(RolloutDecision::RollBack(reason)),
        _ if rollout.state == RolloutState::Paused => None,
        (OnFail::Rollback, reason) => {
            let door = view.door.as_ref().map(|door| messages::one_way(rollout, door).to_string()).unwrap_or_default();
            Some(RolloutDecision::Pause(format!("{reason}; {door}")))
        }
        (OnFail::Hold, reason) => Some(RolloutDecision::Pause(reason)),
    }
}

fn is_starved(view: &DecisionInput<'_>, gate: &Gate) -> bool {
    let Measure::Outcome(comparison) = &gate.measure else { return false };
    let hold = view.rollout.plan.hold(view.rollout.step);
    view.rollout.state != RolloutState::Paused && view.rollout.advance.is_none() && view.held >= hold.and(comparison.deadline)
}

/// What keeps a step from ending although its hold is over: each gate must have been read since, and have something to say.
fn unsettled(view: &DecisionInput<'_>, hold: HumanDuration) -> Option<RolloutStatus> {
    let rollout = view.rollout;
    for status in view.gates.iter().filter(|status| status.gate.mode == GateMode::Armed) {
        let name = &status.gate.name;
        let Some(reading) = status.reading.filter(|_| status.read_at >= hold) else {
            return Some(RolloutStatus {
                // The reading at the end takes only a moment and is not reported.
                state: if rollout.state == RolloutState::Waiting {
                    RolloutState::Waiting
                } else {
                    RolloutState::Holding
                },
                waits_for: rollout.waits_for,
                reason: rollout.reason.clone(),
            });
        };
        match reading.verdict {
            GateVerdict::Pass | GateVerdict::Fail => {}
            GateVerdict::Samples => {
                return Some(RolloutStatus::waiting(
                    WaitsFor::Samples,
                    messages::samples(rollout, status.gate, &reading.detail),
                ));
            }
            GateVerdict::Unknown => return Some(RolloutStatus::waiting(WaitsFor::Gate, messages::unknown(rollout, name, &reading.detail))),
        }
    }
    None
}

/// What the next step waits for, if anything.
fn entry(view: &DecisionInput<'_>) -> RolloutDecision {
    let rollout = view.rollout;
    let number = rollout.step + 1;
    let Some(step) = rollout.plan.step(number) else {
        return RolloutDecision::Complete;
    };
    if let Some(role) = step.approve.filter(|_| rollout.approval(number).is_none()) {
        return RolloutDecision::Stay(RolloutStatus::waiting(WaitsFor::Approval, messages::approval(rollout, number, role)));
    }
    match view.opening {
        WindowStatus::Open => RolloutDecision::EnterStep,
        // "Now" also overrides the window.
        WindowStatus::At(_) | WindowStatus::Unknown if rollout.advance.is_some() => RolloutDecision::EnterStep,
        WindowStatus::At(at) => RolloutDecision::Stay(RolloutStatus::waiting(WaitsFor::Window, messages::window(rollout, number, at))),
        WindowStatus::Unknown => RolloutDecision::Stay(RolloutStatus::waiting(WaitsFor::Window, messages::no_window(rollout))),
    }
}
