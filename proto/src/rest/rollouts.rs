//! Bodies of `rollouts/{id}/replay` and of the actions on a rollout.

use serde_json::{Map, Value};

use super::Members;
use crate::gate::{GateVerdict, Percent, Threshold};
use crate::reader::{Read, Reader};

/// The body of `POST rollouts/{id}/replay`: a different threshold for one gate.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayRequest {
    /// The name of the gate.
    pub gate: String,
    /// By how much the variant may be worse: percentage points, or the unit of the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "0.5%"))]
    pub worse_by: Option<Threshold>,
    /// The required confidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "99%"))]
    pub confidence: Option<Percent>,
    /// The number of samples that each side needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_samples: Option<u64>,
    /// Upper limit of the value, the mean or the error rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>, example = 0.5))]
    pub below: Option<Threshold>,
    /// Lower limit of the value or the mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>))]
    pub above: Option<Threshold>,
    /// The share that must have been fast enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "95%"))]
    pub share: Option<Percent>,
}

impl Members for ReplayRequest {
    const WHAT: &'static str = "a replay";
    const KNOWN: &'static [&'static str] = &["gate", "worse_by", "confidence", "min_samples", "below", "above", "share"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let gate = reader.required(map, "gate", "the name of a gate of the rollout", Reader::line);
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

/// The verdicts that a gate would have given for past steps.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Replay {
    /// The name of the gate.
    pub gate: String,
    /// The result for each step.
    pub steps: Vec<ReplayedStep>,
}

/// The verdict that a gate would have given for a past step.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayedStep {
    /// The number of the step, from 1.
    pub step: u32,
    /// The actual verdict at the end of the step.
    pub recorded: Option<GateVerdict>,
    /// The verdict with the new threshold: of the first evaluation that fails, else of the last one.
    pub verdict: GateVerdict,
    /// The figures behind the verdict, in words.
    pub detail: String,
    /// Milliseconds from the start of the step to this verdict.
    pub after_ms: u64,
}
