//! `stale-flags`: flags that look unused, with the evidence.

use std::collections::BTreeMap;

use crate::key::{FlagKey, VariantName};
use crate::revision::Revision;

/// The answer to `GET stale-flags`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StaleFlags {
    /// The node whose counters are the evidence.
    pub node: String,
    /// Since when it has counted evaluations. It does not know of earlier evaluations, nor of those reported to other nodes.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub counted_since: jiff::Timestamp,
    /// The flags, by key.
    pub items: Vec<StaleFlag>,
    /// Whether the store could not be reached when this was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

/// A flag that looks unused.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StaleFlag {
    /// The key of the flag.
    pub key: FlagKey,
    /// The owner of the flag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The revision of its last change.
    pub revision: Revision,
    /// Why it looks unused; at least one reason.
    pub reasons: Vec<StaleReason>,
    /// Number of evaluations for real users by served variant, without those that served the caller's own default.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, u64>))]
    pub served: BTreeMap<VariantName, u64>,
    /// Number of all evaluations, including synthetic traffic and callers' own defaults.
    pub evaluations: u64,
}

/// Why a flag looks unused.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum StaleReason {
    /// It was never evaluated.
    NeverEvaluated,
    /// Every user was served this variant.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    OneVariant(VariantName),
    /// It expired at this time.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    Expired(jiff::Timestamp),
}
