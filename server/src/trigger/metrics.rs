//! The metrics of triggers.

use ripcord_proto::rest::triggers::HookOutcome;
use ripcord_proto::trigger::{Firing, HookName};

use crate::telemetry::names;

/// A delivery, or a gate's signal, and what it came to.
pub(super) fn delivery(hook: &HookName, outcome: HookOutcome) {
    metrics::counter!(names::TRIGGER_DELIVERIES, "env" => hook.environment.to_string(), "trigger" => hook.trigger.to_string(), "outcome" => outcome.as_str())
        .increment(1);
}

/// A firing, and what came of it.
pub(super) fn firing(environment: &ripcord_proto::EnvironmentKey, firing: &Firing) {
    metrics::counter!(
        names::TRIGGER_FIRINGS,
        "env" => environment.to_string(),
        "trigger" => firing.trigger.to_string(),
        "action" => firing.action.kind(),
        "state" => firing.state.as_str(),
    )
    .increment(1);
}

/// A delivery that was not taken.
pub(super) fn refusal(why: &'static str) {
    metrics::counter!(names::TRIGGER_REFUSALS, "why" => why).increment(1);
}
