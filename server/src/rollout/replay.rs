//! Tries a different threshold on the recorded samples of a gate: which past steps it would have stopped, and which it would have passed.

use ripcord_proto::gate::{ComparedTo, Gate, GateSample, GateVerdict, Measure, OutcomeComparison, OutcomeMeasure, Percent, Threshold, WorseDirection};
use ripcord_proto::rest::rollouts::{Replay, ReplayRequest, ReplayedStep};
use ripcord_proto::rollout::{PastStep, Rollout};
use ripcord_proto::{ValidationError, ValidationErrors};

use super::gate::{comparison, prometheus};

/// Replays the samples of `request.gate` at every past step with the thresholds in the request.
///
/// # Errors
/// The gate is not in the plan, or is a probe, which has no samples.
pub fn replay(rollout: &Rollout, request: &ReplayRequest) -> Result<Replay, ValidationErrors> {
    let gate = rollout.plan.gates.iter().find(|gate| gate.name == request.gate).ok_or_else(|| {
        let names: Vec<&str> = rollout.plan.gates.iter().map(|gate| gate.name.as_str()).collect();
        ValidationErrors::one(
            "gate",
            format!("{:?} is not a gate of this rollout; its gates are {}", request.gate, names.join(", ")),
        )
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

fn changed(gate: &Gate, request: &ReplayRequest) -> Result<Gate, ValidationErrors> {
    let mut changed = gate.clone();
    let own: &[&str] = match &mut changed.measure {
        Measure::Outcome(comparison) => {
            comparison.confidence = request.confidence.unwrap_or(comparison.confidence);
            comparison.min_samples = request.min_samples.unwrap_or(comparison.min_samples);
            amount(comparison, request)?
        }
        Measure::Prometheus(query) => {
            query.below = number("below", request.below)?.or(query.below);
            query.above = number("above", request.above)?.or(query.above);
            &["below", "above"]
        }
        Measure::Probe { .. } => return Err(ValidationErrors::one("gate", "is a probe, which has no threshold to change")),
    };
    let given = [
        ("worse_by", request.worse_by.is_some()),
        ("confidence", request.confidence.is_some()),
        ("min_samples", request.min_samples.is_some()),
        ("below", request.below.is_some()),
        ("above", request.above.is_some()),
        ("share", request.share.is_some()),
    ];
    let wrong = given.iter().filter(|(name, given)| *given && !own.contains(name));
    let problem = format!("is not a threshold of gate {} that can be changed; those are {}", gate.name, own.join(", "));
    let wrong = wrong.map(|(name, _)| ValidationError::new(*name, problem.clone())).collect();
    ValidationErrors::check(wrong, changed)
}

/// Changes what a comparison fails by; which thresholds it has. What counts as slow cannot be changed: what was kept was counted
/// by it.
fn amount(comparison: &mut OutcomeComparison, request: &ReplayRequest) -> Result<&'static [&'static str], ValidationErrors> {
    let fast = |share: Percent| Threshold::Share(Percent::from_thousandths(100_000 - share.thousandths()));
    let (slot, given, own): (_, _, &[&str]) = match (&comparison.outcome, &mut comparison.against) {
        (OutcomeMeasure::Number(..), ComparedTo::Control(slot)) => (slot, request.worse_by, &["worse_by", "confidence", "min_samples"]),
        (OutcomeMeasure::Error | OutcomeMeasure::Latency(_), ComparedTo::Control(slot)) => {
            let points = share("worse_by", request.worse_by)?;
            (slot, points, &["worse_by", "confidence", "min_samples"])
        }
        (OutcomeMeasure::Error, ComparedTo::Limit(slot)) => (slot, share("below", request.below)?, &["below", "confidence", "min_samples"]),
        (OutcomeMeasure::Latency(_), ComparedTo::Limit(slot)) => (slot, request.share.map(fast), &["share", "confidence", "min_samples"]),
        (OutcomeMeasure::Number(_, WorseDirection::Higher), ComparedTo::Limit(slot)) => {
            let most = number("below", request.below)?.map(Threshold::Number);
            (slot, most, &["below", "confidence", "min_samples"])
        }
        (OutcomeMeasure::Number(_, WorseDirection::Lower), ComparedTo::Limit(slot)) => {
            let least = number("above", request.above)?.map(Threshold::Number);
            (slot, least, &["above", "confidence", "min_samples"])
        }
    };
    *slot = given.unwrap_or(*slot);
    Ok(own)
}

fn number(name: &str, given: Option<Threshold>) -> Result<Option<f64>, ValidationErrors> {
    match given {
        Some(Threshold::Share(share)) => Err(ValidationErrors::one(name, format!("must be a number here, not {share}"))),
        Some(Threshold::Number(number)) => Ok(Some(number)),
        None => Ok(None),
    }
}

fn share(name: &str, given: Option<Threshold>) -> Result<Option<Threshold>, ValidationErrors> {
    match given {
        Some(Threshold::Number(number)) => Err(ValidationErrors::one(
            name,
            format!("must be a percentage here, such as \"0.5%\", not {number}"),
        )),
        Some(Threshold::Share(_)) | None => Ok(given),
    }
}

/// The first sample of a step at which the gate fails, else its verdict at the last.
fn walk(gate: &Gate, past: &PastStep) -> (GateVerdict, String, u64) {
    let samples = past
        .looks
        .iter()
        .find(|history| history.gate == gate.name)
        .map(|history| history.looks.as_slice())
        .unwrap_or_default();
    let mut wrong_since = None;
    let mut last = (GateVerdict::Unknown, "no readings were kept".to_owned(), 0);
    for sample in samples {
        let Some((verdict, detail)) = judge(gate, sample, &mut wrong_since) else {
            continue;
        };
        last = (verdict, detail, sample.after_ms);
        if verdict == GateVerdict::Fail {
            break;
        }
    }
    last
}

fn judge(gate: &Gate, sample: &GateSample, wrong_since: &mut Option<u64>) -> Option<(GateVerdict, String)> {
    match &gate.measure {
        Measure::Outcome(comparison) => Some(comparison::judge(comparison, &sample.figures?)),
        Measure::Prometheus(query) => {
            let value = sample.value?;
            *wrong_since = (!query.admits(value)).then(|| wrong_since.unwrap_or(sample.after_ms));
            let lasting = wrong_since.map(|since| std::time::Duration::from_millis(sample.after_ms.saturating_sub(since)));
            Some(prometheus::judge(query, value, lasting))
        }
        Measure::Probe { .. } => None,
    }
}

#[cfg(test)]
mod tests;
