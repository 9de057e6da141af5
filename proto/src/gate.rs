//! Gates: conditions on outcomes, probes or Prometheus metrics that every step of a rollout must pass.

mod comparison;
mod percent;
mod read;
mod reading;

use crate::check::Check;
use crate::duration::HumanDuration;

pub use self::comparison::{ComparedTo, OutcomeComparison, OutcomeMeasure, Threshold, WorseDirection};
pub use self::percent::Percent;
pub use self::reading::{Arm, Figures, GateReading, GateSample, GateVerdict};

/// A gate of a plan.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Gate {
    /// Its name, unique within the plan.
    pub name: String,
    /// What it measures, and the condition.
    #[serde(flatten)]
    pub measure: Measure,
    /// What happens when it fails.
    pub on_fail: OnFail,
    /// How often it is evaluated while a step is held.
    pub every: HumanDuration,
    /// Whether it only reports what it would have done.
    #[serde(rename = "dry_run", serialize_with = "write_mode")]
    pub mode: GateMode,
}

/// Whether a gate acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateMode {
    /// The gate acts when it fails.
    Armed,
    /// The gate is evaluated and shown, but does not act.
    DryRun,
}

/// What happens when a gate fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum OnFail {
    /// The rollout is paused at the current step.
    Hold,
    /// Exposure is restored to what it was before the first step.
    Rollback,
}

/// What a gate measures.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Measure {
    /// Outcomes that applications report for the variant, compared with its control or with a limit.
    Outcome(OutcomeComparison),
    /// A Prometheus query.
    Prometheus(PrometheusQuery),
    /// An HTTP probe.
    Probe {
        /// The probe to run.
        #[serde(serialize_with = "write_probe")]
        probe: Check,
    },
}

/// A Prometheus query, and the limits of its value.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PrometheusQuery {
    /// A query that returns one value.
    pub prometheus: String,
    /// The address of Prometheus; that of the environment's policy if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The value must be below this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// The value must be above this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// How long the value must be outside its limits before the gate fails.
    #[serde(rename = "for")]
    pub lasting: HumanDuration,
}

impl PrometheusQuery {
    /// Whether a value is within the limits.
    pub fn admits(&self, value: f64) -> bool {
        self.below.is_none_or(|most| value < most) && self.above.is_none_or(|least| value > least)
    }
}

impl Gate {
    /// Whether it needs a control, served at the same step or an earlier one.
    pub const fn needs_control(&self) -> bool {
        match &self.measure {
            Measure::Outcome(comparison) => matches!(comparison.against, ComparedTo::Control(_)),
            Measure::Prometheus(_) | Measure::Probe { .. } => false,
        }
    }

    /// Whether it measures outcomes that applications report.
    pub const fn counts_outcomes(&self) -> bool {
        matches!(self.measure, Measure::Outcome(_))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn write_mode<S: serde::Serializer>(mode: &GateMode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(*mode == GateMode::DryRun)
}

/// A probe as written in a plan, without the name and the phase that a check of a rollback has.
fn write_probe<S: serde::Serializer>(check: &Check, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(serde::Serialize)]
    struct Probe<'a> {
        url: &'a str,
        expect: u16,
        #[serde(flatten)]
        body: &'a Option<crate::check::BodyCheck>,
        timeout_ms: u64,
    }
    let probe = Probe {
        url: &check.url,
        expect: check.expect,
        body: &check.body,
        timeout_ms: check.timeout_ms,
    };
    serde::Serialize::serialize(&probe, serializer)
}
