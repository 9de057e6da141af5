//! Gates: conditions on measured outcomes, probes or figures of Prometheus that every step of a rollout must pass.

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
    /// What it measures, and what must hold.
    #[serde(flatten)]
    pub measure: Measure,
    /// What happens when it fails.
    pub on_fail: OnFail,
    /// How often it is read while a step is held.
    pub every: HumanDuration,
    /// Whether it only says what it would have done.
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
    /// The rollout is paused where it stands.
    Hold,
    /// Exposure goes back to what it was before the first step.
    Rollback,
}

/// What a gate measures.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Measure {
    /// What applications report of the variant, compared with its control or with a limit.
    Outcome(OutcomeComparison),
    /// A query of Prometheus.
    Prometheus(PrometheusQuery),
    /// An HTTP probe.
    Probe {
        /// The probe to run.
        #[serde(serialize_with = "write_probe")]
        probe: Check,
    },
}

/// A query of Prometheus, and between what its one value must lie.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PrometheusQuery {
    /// A query that gives one value.
    pub prometheus: String,
    /// Where Prometheus answers; the environment's policy says it where this does not.
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
    /// Whether a value is as it must be.
    pub fn admits(&self, value: f64) -> bool {
        self.below.is_none_or(|most| value < most) && self.above.is_none_or(|least| value > least)
    }
}

impl Gate {
    /// Whether it can judge a step only by a control that was served at the same time, or before.
    pub const fn needs_control(&self) -> bool {
        match &self.measure {
            Measure::Outcome(comparison) => matches!(comparison.against, ComparedTo::Control(_)),
            Measure::Prometheus(_) | Measure::Probe { .. } => false,
        }
    }

    /// Whether it goes by what applications report.
    pub const fn counts_outcomes(&self) -> bool {
        matches!(self.measure, Measure::Outcome(_))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn write_mode<S: serde::Serializer>(mode: &GateMode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(*mode == GateMode::DryRun)
}

/// A probe as a plan writes it: without the name and the moments that checks of a rollback have.
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
