use ripcord_proto::RolloutId;
use ripcord_proto::actor::Actor;
use ripcord_proto::gate::{Arm, Figures};
use ripcord_proto::rest::Request as _;
use ripcord_proto::rollout::{Attribution, GateHistory, RolloutPlan};
use serde_json::{Value, json};

use super::*;
use crate::rollout::actions;

/// A rollout of one gate whose first step is over, and what the gate went by in it.
fn rollout(gate: &Value, samples: &[(u64, u64)]) -> Rollout {
    let mut gate = gate.clone();
    gate["name"] = json!("g");
    gate["on_fail"] = json!("hold");
    let plan = json!({"flag": "f", "variant": "on", "steps": [{"to": "10%", "hold": "1m"}], "gates": [gate]});
    let at: jiff::Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
    let word = Attribution {
        by: Actor::server("a"),
        at,
        reason: None,
    };
    let mut rollout = actions::begun(RolloutPlan::from_value(&plan).unwrap(), RolloutId::from_parts(1, 1), word).unwrap();
    let sample = |(after_ms, errors): &(u64, u64)| GateSample {
        after_ms: *after_ms,
        figures: Some(Figures {
            treatment: Arm::new(5_000, *errors),
            control: Arm::new(5_000, 50),
            ..Figures::default()
        }),
        value: Some(f64::from(u32::try_from(*errors).unwrap())),
    };
    rollout.past.push(PastStep {
        step: 1,
        entered: at,
        left: at,
        changed: None,
        gates: Vec::new(),
        looks: vec![GateHistory {
            gate: "g".to_owned(),
            looks: samples.iter().map(sample).collect(),
        }],
    });
    rollout
}

fn replayed(rollout: &Rollout, thresholds: &Value) -> Result<(GateVerdict, u64), String> {
    let mut request = thresholds.clone();
    request["gate"] = json!("g");
    let request = ReplayRequest::from_value(&request).map_err(|faults| faults.to_string())?;
    let replay = replay(rollout, &request).map_err(|faults| faults.to_string())?;
    Ok((replay.steps[0].verdict, replay.steps[0].after_ms))
}

const RISING: [(u64, u64); 3] = [(1_000, 50), (2_000, 120), (3_000, 250)];

#[test]
fn another_threshold_stops_sooner_later_or_not_at_all() {
    let compared = rollout(&json!({"outcome": "error", "worse_by": "1%"}), &RISING);
    assert_eq!(replayed(&compared, &json!({})), Ok((GateVerdict::Fail, 3_000)));
    assert_eq!(replayed(&compared, &json!({"worse_by": "0.1%"})), Ok((GateVerdict::Fail, 2_000)));
    assert_eq!(replayed(&compared, &json!({"worse_by": "5%"})), Ok((GateVerdict::Pass, 3_000)));
    assert_eq!(replayed(&compared, &json!({"min_samples": 6000})), Ok((GateVerdict::Samples, 3_000)));
    let slow = rollout(&json!({"outcome": "latency", "below": "300ms", "share": "99%"}), &RISING);
    assert_eq!(replayed(&slow, &json!({"share": "95%"})), Ok((GateVerdict::Pass, 3_000)));
    let few = rollout(&json!({"outcome": "error", "below": "2%"}), &RISING);
    assert_eq!(replayed(&few, &json!({"below": "1%"})), Ok((GateVerdict::Fail, 2_000)));
    let query = rollout(&json!({"prometheus": "x", "below": 500}), &RISING);
    assert_eq!(replayed(&query, &json!({"below": 100})), Ok((GateVerdict::Fail, 2_000)));
}

#[test]
fn a_threshold_that_a_gate_does_not_have_is_refused_with_those_that_it_has() {
    let few = rollout(&json!({"outcome": "error", "below": "2%"}), &RISING);
    let refused = replayed(&few, &json!({"worse_by": "1%"})).unwrap_err();
    assert!(refused.contains("those are below, confidence, min_samples"), "{refused}");
    let refused = replayed(&few, &json!({"below": 2})).unwrap_err();
    assert!(refused.contains("must be a percentage here"), "{refused}");
    let slow = rollout(&json!({"outcome": "latency", "below": "300ms", "worse_by": "1%"}), &RISING);
    let refused = replayed(&slow, &json!({"below": 2})).unwrap_err();
    assert!(refused.contains("below: is not a threshold of gate g that can be changed"), "{refused}");
    let probe = rollout(&json!({"probe": {"url": "http://h/"}}), &[]);
    assert!(replayed(&probe, &json!({})).unwrap_err().contains("is a probe"));
}
