//! `rollouts/{id}/replay`, and what the acts on a rollout take.

use serde_json::{Map, Value};

use super::Members;
use crate::gate::{GateVerdict, Percent, Threshold};
use crate::reader::{Read, Reader};

/// `POST rollouts/{id}/replay`: another threshold for one gate.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayRequest {
    /// The name of the gate.
    pub gate: String,
    /// By how much the variant may be worse: percentage points, or a number's own unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "0.5%"))]
    pub worse_by: Option<Threshold>,
    /// How sure it must be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "99%"))]
    pub confidence: Option<Percent>,
    /// Evaluations that each side needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_samples: Option<u64>,
    /// The value, the mean or the share of errors must be below this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>, example = 0.5))]
    pub below: Option<Threshold>,
    /// The value or the mean must be above this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>))]
    pub above: Option<Threshold>,
    /// As many must have been served fast enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "95%"))]
    pub share: Option<Percent>,
}

impl Members for ReplayRequest {
    const WHAT: &'static str = "a replay";
    const KNOWN: &'static [&'static str] = &["gate", "worse_by", "confidence", "min_samples", "below", "above", "share"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let gate = reader.required(map, "gate", "the name of a gate of the rollout", Reader::prose);
        Ok(Self {
            worse_by: reader.optional(map, "worse_by", Threshold::read),
            confidence: reader.optional(map, "confidence", Percent::read),
            min_samples: reader.optional(map, "min_samples", |reader, value| {
                value.as_u64().map_or_else(|| reader.refuse(format!("must be a whole number, not {value}")), Ok)
            }),
            below: reader.optional(map, "below", Threshold::read),
            above: reader.optional(map, "above", Threshold::read),
            share: reader.optional(map, "share", Percent::read),
            gate: gate?,
        })
    }
}

/// What a gate would have said of the past steps.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Replay {
    /// The name of the gate.
    pub gate: String,
    /// The result for each step.
    pub steps: Vec<ReplayedStep>,
}

/// What a gate would have said of a past step.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayedStep {
    /// The number of the step, from 1.
    pub step: u32,
    /// What it said at the end of the step.
    pub recorded: Option<GateVerdict>,
    /// What it would have said: at the first look at which it failed, else at the last.
    pub verdict: GateVerdict,
    /// What the verdict is based on, in words.
    pub detail: String,
    /// Milliseconds after the step's beginning at which it would have said so.
    pub after_ms: u64,
}
