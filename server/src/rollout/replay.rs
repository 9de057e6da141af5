//! Another threshold tried on what a gate went by: which past steps it would have stopped, and which let through.

use ripcord_proto::gate::{Gate, Look, Measure, Verdict};
use ripcord_proto::rest::rollouts::{Replay, ReplayRequest, ReplayedStep};
use ripcord_proto::rollout::{PastStep, Rollout};
use ripcord_proto::{Fault, Faults};

use super::gate::{comparison, prometheus};

/// Goes through what `request.gate` went by at every past step, with the thresholds that the request changes.
///
/// # Errors
/// The gate is not one of the plan, or measures nothing that was kept: a probe.
pub fn replay(rollout: &Rollout, request: &ReplayRequest) -> Result<Replay, Faults> {
    let gate = rollout.plan.gates.iter().find(|gate| gate.name == request.gate).ok_or_else(|| {
        let names: Vec<&str> = rollout.plan.gates.iter().map(|gate| gate.name.as_str()).collect();
        Faults::one("gate", format!("{:?} is no gate of this rollout; it has {}", request.gate, names.join(", ")))
    })?;
    let changed = changed(gate, request)?;
    let steps = rollout.past.iter().map(|past| {
        let recorded = past.gates.iter().find(|reading| reading.name == gate.name).map(|reading| reading.verdict);
        let (verdict, detail, after_ms) = walk(&changed, past);
        ReplayedStep {
            step: past.step,
            recorded,
            verdict,
            detail,
            after_ms,
        }
    });
    Ok(Replay {
        gate: gate.name.clone(),
        steps: steps.collect(),
    })
}

fn changed(gate: &Gate, request: &ReplayRequest) -> Result<Gate, Faults> {
    let mut changed = gate.clone();
    let mut wrong = Vec::new();
    let given = |name: &str, given: bool| given.then(|| Fault::new(name, format!("is no threshold of gate {}", gate.name)));
    match &mut changed.measure {
        Measure::Outcome(comparison) => {
            wrong.extend(
                given("below", request.below.is_some())
                    .into_iter()
                    .chain(given("above", request.above.is_some())),
            );
            comparison.worse_by = request.worse_by.unwrap_or(comparison.worse_by);
            comparison.confidence = request.confidence.unwrap_or(comparison.confidence);
            comparison.min_samples = request.min_samples.unwrap_or(comparison.min_samples);
        }
        Measure::Prometheus(query) => {
            let outcome = request.worse_by.is_some() || request.confidence.is_some() || request.min_samples.is_some();
            wrong.extend(given("worse_by", outcome));
            query.below = request.below.or(query.below);
            query.above = request.above.or(query.above);
        }
        Measure::Probe { .. } => wrong.push(Fault::new("gate", "is a probe, which has no threshold that could be changed")),
    }
    Faults::check(wrong, changed)
}

/// The first look of a step at which the gate fails, else what it says at the last.
fn walk(gate: &Gate, past: &PastStep) -> (Verdict, String, u64) {
    let looks = past
        .looks
        .iter()
        .find(|looks| looks.gate == gate.name)
        .map(|looks| looks.looks.as_slice())
        .unwrap_or_default();
    let mut wrong_since = None;
    let mut last = (Verdict::Unknown, "nothing was kept of it".to_owned(), 0);
    for look in looks {
        let Some((verdict, detail)) = judge(gate, look, &mut wrong_since) else {
            continue;
        };
        last = (verdict, detail, look.after_ms);
        if verdict == Verdict::Fail {
            break;
        }
    }
    last
}

fn judge(gate: &Gate, look: &Look, wrong_since: &mut Option<u64>) -> Option<(Verdict, String)> {
    match &gate.measure {
        Measure::Outcome(comparison) => Some(comparison::judge(comparison, &look.figures?)),
        Measure::Prometheus(query) => {
            let value = look.value?;
            *wrong_since = (!query.admits(value)).then(|| wrong_since.unwrap_or(look.after_ms));
            let lasting = wrong_since.map(|since| std::time::Duration::from_millis(look.after_ms.saturating_sub(since)));
            Some(prometheus::judge(query, value, lasting))
        }
        Measure::Probe { .. } => None,
    }
}
