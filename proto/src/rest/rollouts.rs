//! `rollouts/{id}/replay`, and what the acts on a rollout take.

use serde_json::{Map, Value};

use super::Members;
use crate::gate::{Percent, Verdict};
use crate::reader::{Read, Reader};

/// `POST rollouts/{id}/replay`: another threshold for one gate.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayRequest {
    /// The gate's name.
    pub gate: String,
    /// Percentage points by which the variant may be worse.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "0.5%"))]
    pub worse_by: Option<Percent>,
    /// How sure it must be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "99%"))]
    pub confidence: Option<Percent>,
    /// Evaluations that each side needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_samples: Option<u64>,
    /// The value must be below this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// The value must be above this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
}

impl Members for ReplayRequest {
    const WHAT: &'static str = "a replay";
    const KNOWN: &'static [&'static str] = &["gate", "worse_by", "confidence", "min_samples", "below", "above"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let number = |reader: &mut Reader, value: &Value| reader.number(value).map(|number| number.as_f64().unwrap_or_default());
        let gate = reader.required(map, "gate", "the name of a gate of the rollout", Reader::prose);
        Ok(Self {
            worse_by: reader.optional(map, "worse_by", Percent::read),
            confidence: reader.optional(map, "confidence", Percent::read),
            min_samples: reader.optional(map, "min_samples", |reader, value| {
                value.as_u64().map_or_else(|| reader.refuse(format!("must be a whole number, not {value}")), Ok)
            }),
            below: reader.optional(map, "below", number),
            above: reader.optional(map, "above", number),
            gate: gate?,
        })
    }
}

/// What a gate would have said of the past steps.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Replay {
    /// The gate.
    pub gate: String,
    /// Step by step.
    pub steps: Vec<ReplayedStep>,
}

/// What a gate would have said of a past step.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayedStep {
    /// Which, from 1.
    pub step: u32,
    /// What it said at the end of the step.
    pub recorded: Option<Verdict>,
    /// What it would have said: at the first look at which it failed, else at the last.
    pub verdict: Verdict,
    /// By what.
    pub detail: String,
    /// Milliseconds after the step's beginning at which it would have said so.
    pub after_ms: u64,
}
