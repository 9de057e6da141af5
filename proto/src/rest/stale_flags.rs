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
    /// Since when it has counted what applications report. What was evaluated before, or reported to another node, it does not
    /// know.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub counted_since: jiff::Timestamp,
    /// The flags, by key.
    pub items: Vec<StaleFlag>,
    /// Whether it was read while the store could not be reached.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

/// A flag that may have had its day.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StaleFlag {
    /// The key of the flag.
    pub key: FlagKey,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The revision of its last change.
    pub revision: Revision,
    /// Why it may go; at least one reason.
    pub reasons: Vec<StaleReason>,
    /// How often it was evaluated for users, by the variant that was served; what served the caller's own default is not among them.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, u64>))]
    pub served: BTreeMap<VariantName, u64>,
    /// How often it was evaluated at all, synthetic traffic and callers' defaults among it.
    pub evaluations: u64,
}

/// Why a flag may go.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum StaleReason {
    /// Nobody has asked for it.
    NeverEvaluated,
    /// Every user was served this variant.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    OneVariant(VariantName),
    /// It should have been gone by then.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    Expired(jiff::Timestamp),
}
