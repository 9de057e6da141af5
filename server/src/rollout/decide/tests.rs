use ripcord_proto::actor::Actor;
use ripcord_proto::rollout::{Attribution, RolloutPlan};
use ripcord_proto::{RolloutId, rollout::Approval};
use serde_json::json;

use super::*;
use crate::rollout::actions;

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn word() -> Attribution {
    Attribution {
        by: Actor::server("a"),
        at: now(),
        reason: None,
    }
}

/// A rollout of two steps of a minute, with a gate that takes back and one that holds, at this step.
fn rollout(step: u32) -> Rollout {
    let plan = RolloutPlan::from_value(&json!({
        "flag": "f", "variant": "on", "steps": [{"to": "10%", "hold": "1m"}, {"to": "50%", "hold": "1m", "approve": "oncall"}],
        "gates": [
            {"name": "hard", "outcome": "error", "worse_by": "1%", "on_fail": "rollback", "deadline": "10m"},
            {"name": "soft", "probe": {"url": "http://h/"}, "on_fail": "hold"},
        ],
    }));
    let begun = actions::begun(plan.unwrap(), RolloutId::from_parts(1, 1), word()).unwrap();
    Rollout {
        step,
        state: RolloutState::Holding,
        ..begun
    }
}

fn reading(name: &str, verdict: GateVerdict) -> GateReading {
    GateReading {
        name: name.to_owned(),
        verdict,
        detail: "detail".to_owned(),
        at: now(),
        dry_run: false,
        figures: None,
        value: None,
    }
}

/// What comes next when it has been held so many seconds and its gates said this, at that second.
fn after(rollout: &Rollout, seconds: u64, verdicts: [GateVerdict; 2], read_at: u64) -> RolloutDecision {
    let readings = [reading("hard", verdicts[0]), reading("soft", verdicts[1])];
    let gates = rollout.plan.gates.iter().zip(&readings).map(|(gate, reading)| GateStatus {
        gate,
        reading: Some(reading),
        read_at: HumanDuration::from_millis(read_at * 1_000),
    });
    next(&DecisionInput {
        rollout,
        now: now(),
        held: HumanDuration::from_millis(seconds * 1_000),
        gates: gates.collect(),
        opening: WindowStatus::Open,
        door: None,
    })
}

fn state(next: &RolloutDecision) -> (RolloutState, Option<WaitsFor>) {
    let RolloutDecision::Stay(status) = next else { panic!("{next:?}") };
    (status.state, status.waits_for)
}

const FINE: [GateVerdict; 2] = [GateVerdict::Pass, GateVerdict::Pass];

#[test]
fn a_step_is_held_then_read_once_more_and_then_the_next_asks_for_its_approval() {
    let mut rollout = rollout(1);
    assert_eq!(state(&after(&rollout, 59, FINE, 59)), (RolloutState::Holding, None));
    assert_eq!(
        state(&after(&rollout, 60, FINE, 59)),
        (RolloutState::Holding, None),
        "not read since the hold is over"
    );
    assert_eq!(state(&after(&rollout, 60, FINE, 60)), (RolloutState::Waiting, Some(WaitsFor::Approval)));
    rollout.approvals.push(Approval { step: 2, word: word() });
    assert_eq!(after(&rollout, 60, FINE, 60), RolloutDecision::EnterStep);
    rollout.step = 2;
    assert_eq!(after(&rollout, 60, FINE, 60), RolloutDecision::Complete);
}

#[test]
fn what_takes_back_goes_before_what_holds_and_does_so_at_any_time() {
    let rollout = rollout(1);
    let taken = after(&rollout, 1, [GateVerdict::Fail, GateVerdict::Fail], 1);
    assert!(
        matches!(&taken, RolloutDecision::RollBack(reason) if reason.contains("gate hard failed at step 1 of 2 (10%)")),
        "{taken:?}"
    );
    assert!(matches!(
        after(&rollout, 1, [GateVerdict::Pass, GateVerdict::Fail], 1),
        RolloutDecision::Pause(_)
    ));
    let paused = Rollout {
        state: RolloutState::Paused,
        ..rollout
    };
    assert_eq!(
        state(&after(&paused, 1, [GateVerdict::Pass, GateVerdict::Fail], 1)).0,
        RolloutState::Paused,
        "held is held"
    );
    assert!(
        matches!(after(&paused, 1, [GateVerdict::Fail, GateVerdict::Pass], 1), RolloutDecision::RollBack(_)),
        "users are still exposed"
    );
}

#[test]
fn silence_never_passes() {
    let rollout = rollout(1);
    assert_eq!(
        state(&after(&rollout, 60, [GateVerdict::Unknown, GateVerdict::Pass], 60)),
        (RolloutState::Waiting, Some(WaitsFor::Gate))
    );
    assert_eq!(
        state(&after(&rollout, 600, [GateVerdict::Samples, GateVerdict::Pass], 600)),
        (RolloutState::Waiting, Some(WaitsFor::Samples))
    );
    assert!(
        matches!(
            after(&rollout, 660, [GateVerdict::Samples, GateVerdict::Pass], 660),
            RolloutDecision::RollBack(_)
        ),
        "ten minutes after the hold"
    );
}

#[test]
fn a_person_goes_past_what_a_machine_cannot_tell_but_not_past_an_approval_or_a_failure() {
    let mut rollout = rollout(1);
    rollout.advance = Some(word());
    assert_eq!(
        state(&after(&rollout, 1, [GateVerdict::Samples, GateVerdict::Unknown], 1)),
        (RolloutState::Waiting, Some(WaitsFor::Approval))
    );
    assert!(matches!(
        after(&rollout, 1, [GateVerdict::Fail, GateVerdict::Pass], 1),
        RolloutDecision::RollBack(_)
    ));
    rollout.approvals.push(Approval { step: 2, word: word() });
    assert_eq!(after(&rollout, 1, [GateVerdict::Samples, GateVerdict::Unknown], 1), RolloutDecision::EnterStep);
}
