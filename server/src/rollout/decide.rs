//! What comes next for a rollout: a function of what is known, without I/O, clock or state of its own.
//!
//! ```text
//! a gate fails ──► taken back, or held          the hold is over ──► every gate read once more ──► approval ──► window ──► next step
//! ```
//!
//! Nothing passes by silence: a gate that cannot say anything holds the step, one that lacks samples past its deadline has failed.

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use ripcord_proto::gate::{Gate, GateReading, Measure, GateMode, OnFail, GateVerdict};
use ripcord_proto::one_way::OneWay;
use ripcord_proto::rollout::{Rollout, RolloutState, WaitsFor};
use ripcord_proto::duration::HumanDuration;

use super::says;
use super::window::Opening;

/// What is known of a rollout.
#[derive(Debug, Clone)]
pub(super) struct View<'a> {
    /// Its record.
    pub(super) rollout: &'a Rollout,
    /// The time.
    pub(super) now: Timestamp,
    /// How long the step in force has been held.
    pub(super) held: HumanDuration,
    /// What its gates said, for those that can judge the step.
    pub(super) gates: Vec<Heard<'a>>,
    /// Whether steps may begin.
    pub(super) opening: Opening,
    /// The one-way door of the variant that it raises: through that nothing goes back by itself.
    pub(super) door: Option<OneWay>,
}

/// A gate, and what it said.
#[derive(Debug, Clone)]
pub(super) struct Heard<'a> {
    pub(super) gate: &'a Gate,
    pub(super) reading: Option<&'a GateReading>,
    /// How long the step had been held when it was read.
    pub(super) read_at: HumanDuration,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// It stands as it stands.
    Stand(Standing),
    /// The next step may begin, if the other rollouts of its release are as far.
    Enter,
    /// It is over, and all went well.
    Complete,
    /// A gate holds it where it is.
    Pause(String),
    /// A gate takes it back.
    TakeBack(String),
}

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: RolloutState,
    pub(super) waits_for: Option<WaitsFor>,
    pub(super) reason: String,
}

impl Standing {
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

/// Decides.
pub(super) fn next(view: &View<'_>) -> Next {
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
            Some(start) if start > view.now && rollout.advance.is_none() => Next::Stand(Standing::new(RolloutState::Scheduled, says::scheduled(start))),
            Some(_) | None => entry(view),
        };
    }
    let hold = rollout.plan.hold(rollout.step);
    if rollout.advance.is_none() {
        if view.held < hold {
            return Next::Stand(Standing::new(RolloutState::Holding, says::holding(rollout, hold)));
        }
        if let Some(waiting) = unsettled(view, hold) {
            return Next::Stand(waiting);
        }
    }
    if rollout.step == rollout.plan.last() { Next::Complete } else { entry(view) }
}

fn stays(rollout: &Rollout) -> Next {
    Next::Stand(Standing {
        state: rollout.state,
        waits_for: rollout.waits_for,
        reason: rollout.reason.clone(),
    })
}

/// A gate that acts and has failed, or has lacked samples for too long. One that takes back goes before one that holds.
fn failed(view: &View<'_>) -> Option<Next> {
    let rollout = view.rollout;
    let armed = view.gates.iter().filter(|heard| heard.gate.mode == GateMode::Armed);
    let mut found: Vec<(OnFail, String)> = armed
        .filter_map(|heard| {
            let reading = heard.reading?;
            let detail = match reading.verdict {
                GateVerdict::Fail => reading.detail.clone(),
                GateVerdict::Samples if is_starved(view, heard.gate) => format!("it still lacks samples after its deadline: {}", reading.detail),
                GateVerdict::Pass | GateVerdict::Samples | GateVerdict::Unknown => return None,
            };
            Some((heard.gate.on_fail, says::failed(rollout, &heard.gate.name, &detail)))
        })
        .collect();
    found.sort_by_key(|(on_fail, _)| *on_fail == OnFail::Hold);
    match found.into_iter().next()? {
        (OnFail::Rollback, reason) if view.door.is_none() => Some(Next::TakeBack(reason)),
        _ if rollout.state == RolloutState::Paused => None,
        (OnFail::Rollback, reason) => {
            let door = view.door.as_ref().map(|door| says::door(rollout, door)).unwrap_or_default();
            Some(Next::Pause(format!("{reason}; {door}")))
        }
        (OnFail::Hold, reason) => Some(Next::Pause(reason)),
    }
}

fn is_starved(view: &View<'_>, gate: &Gate) -> bool {
    let Measure::Outcome(comparison) = &gate.measure else { return false };
    let hold = view.rollout.plan.hold(view.rollout.step);
    view.rollout.state != RolloutState::Paused && view.rollout.advance.is_none() && view.held >= hold.and(comparison.deadline)
}

/// What keeps a step from ending although its hold is over: each gate must have been read since, and have something to say.
fn unsettled(view: &View<'_>, hold: HumanDuration) -> Option<Standing> {
    let rollout = view.rollout;
    for heard in view.gates.iter().filter(|heard| heard.gate.mode == GateMode::Armed) {
        let name = &heard.gate.name;
        let Some(reading) = heard.reading.filter(|_| heard.read_at >= hold) else {
            return Some(Standing {
                // The reading at the end takes a moment: nobody needs to hear of it.
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
            GateVerdict::Samples => return Some(Standing::waiting(WaitsFor::Samples, says::samples(rollout, heard.gate, &reading.detail))),
            GateVerdict::Unknown => return Some(Standing::waiting(WaitsFor::Gate, says::unknown(rollout, name, &reading.detail))),
        }
    }
    None
}

/// What the next step waits for, where it does.
fn entry(view: &View<'_>) -> Next {
    let rollout = view.rollout;
    let number = rollout.step + 1;
    let Some(step) = rollout.plan.step(number) else { return Next::Complete };
    if let Some(role) = step.approve.filter(|_| rollout.approval(number).is_none()) {
        return Next::Stand(Standing::waiting(WaitsFor::Approval, says::approval(rollout, number, role)));
    }
    match view.opening {
        Opening::Open => Next::Enter,
        // Who says "now" means now.
        Opening::At(_) | Opening::Unknown if rollout.advance.is_some() => Next::Enter,
        Opening::At(at) => Next::Stand(Standing::waiting(WaitsFor::Window, says::window(rollout, number, at))),
        Opening::Unknown => Next::Stand(Standing::waiting(WaitsFor::Window, says::no_window(rollout))),
    }
}
