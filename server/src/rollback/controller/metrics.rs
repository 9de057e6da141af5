//! Counts rollbacks by state, and times their phases.

use jiff::Timestamp;
use ripcord_proto::EnvironmentKey;
use ripcord_proto::rollback::Rollback;

use crate::telemetry::names;

/// Counts a rollback that has reached a state, and how long its phases took.
pub(super) fn record(environment: &EnvironmentKey, rollback: &Rollback) {
    let env = environment.to_string();
    metrics::counter!(names::ROLLBACKS, "env" => env.clone(), "state" => rollback.state.as_str()).increment(1);
    let phases = &rollback.phases;
    let since = |from: Option<Timestamp>, to: Option<Timestamp>| Some(to?.duration_since(from?).as_secs_f64().max(0.0));
    let seconds = |millis: Option<f64>| millis.map(|millis| millis / 1_000.0);
    let timed = [
        ("decided", since(phases.detected, phases.decided)),
        ("committed", seconds(phases.commit_ms)),
        ("applied", phases.applied.and_then(|_| seconds(phases.applied_last_ms))),
        ("healthy", seconds(phases.healthy_ms)),
    ];
    for (phase, took) in timed {
        if let Some(took) = took {
            metrics::histogram!(names::ROLLBACK_SECONDS, "env" => env.clone(), "phase" => phase).record(took);
        }
    }
}
