//! The response of `commits/plan`: the effect of a commit.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diff::{ChangedBy, FlagShare, UserShare};
use crate::digest::Digest;
use crate::flag::DeadRule;
use crate::key::{FlagKey, SetName};
use crate::kill::KillId;
use crate::revision::{Epoch, Revision};
use crate::rollout::RolloutId;

pub use crate::diff::{FlagDiff, SegmentDiff, SettingsDiff};

/// The response to `POST commits/plan`. Committing with `hash` as `plan` does exactly this, or is refused.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlanResponse {
    /// The hash of the plan; pass it as `plan` to commit exactly this.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub hash: Digest,
    /// The epoch of the state that the plan was computed for.
    pub epoch: Epoch,
    /// The revision that the plan was computed for; the hash does not depend on it.
    pub revision: Revision,
    /// Flags that would change.
    pub flags: Vec<FlagDiff>,
    /// Segments that would change.
    pub segments: Vec<SegmentDiff>,
    /// The settings, if they would change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<SettingsDiff>,
    /// Number of flags and segments of a file set that match its files or are kept as they are.
    #[serde(default)]
    pub unchanged: usize,
    /// Manual changes that are kept although they differ from the files, because they were made after the last apply and the files
    /// have not changed there since.
    #[serde(default)]
    pub kept: Vec<KeptEdit>,
    /// Entries that the file set takes over from other owners.
    #[serde(default)]
    pub adopted: Vec<AdoptedEntry>,
    /// How many users would get a different variant, computed with the engine that applications use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<UserShare>,
    /// The share for each flag of which any user would get a different variant.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shares: BTreeMap<FlagKey, FlagShare>,
    /// Kills of flags in the plan, which keep serving their safe variant.
    #[serde(default)]
    pub kills: BTreeMap<FlagKey, Vec<KillId>>,
    /// Warnings to consider before committing.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The rules of the planned flags that could never be reached. A warning tells of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dead_rules: BTreeMap<FlagKey, Vec<DeadRule>>,
}

/// A part of a flag or a segment that stays different from its file.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeptEdit {
    /// The path: `flags.checkout-v2.rules[gradual].serve.split`.
    pub path: String,
    /// The value in the file; absent if the file has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Value>,
    /// The value that is kept; absent if it was removed by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Value>,
    /// The live rollout that changes it, if that is why it is kept. Then it is kept even if the files changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutId>,
    /// The last change of the flag or segment, if it still exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_change: Option<ChangedBy>,
}

/// A flag or segment whose owner changes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdoptedEntry {
    /// The entry: `flags.checkout-v2`.
    pub path: String,
    /// The set that owned it; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SetName>,
}
