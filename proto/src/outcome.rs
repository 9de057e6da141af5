//! Outcomes: what happened to the users that were served a variant, and how often each variant was served, in batches.

use crate::key::{FlagKey, VariantName};

/// Whether a person or a machine was served; told by the context's attribute `traffic: synthetic`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Traffic {
    /// Users.
    #[default]
    Real,
    /// Probes, load tests, canaries' own checks.
    Synthetic,
}

/// The body of `POST /v1/outcomes`: counts since the last batch of this instance.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OutcomeBatch {
    /// The random id of the process.
    pub instance_id: String,
    /// Grows by one with each batch of the process, so that a batch sent twice is counted once.
    pub batch: u64,
    /// The counts.
    pub counts: Vec<OutcomeCount>,
}

/// Counts of one flag, variant and kind of traffic.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OutcomeCount {
    /// The flag.
    pub flag: FlagKey,
    /// The variant served; absent = the caller's own default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<VariantName>,
    /// Whom it was served to.
    #[serde(default)]
    pub traffic: Traffic,
    /// How often it was served.
    #[serde(default)]
    pub evaluations: u64,
    /// How often the application said that it went well.
    #[serde(default)]
    pub successes: u64,
    /// How often it said that it went wrong.
    #[serde(default)]
    pub errors: u64,
}
