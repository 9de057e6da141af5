//! `commits/plan`: what a commit would do.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diff::{ChangedBy, FlagShare, UserShare};
use crate::digest::Digest;
use crate::key::{FlagKey, SetName};
use crate::kill::KillId;
use crate::revision::{Epoch, Revision};
use crate::rollout::RolloutId;

pub use crate::diff::{FlagDiff, SegmentDiff, SettingsDiff};

/// The answer to `POST commits/plan`. Committing with `hash` as `plan` does exactly this, or is refused.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlanResponse {
    /// What to give as `plan`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub hash: Digest,
    /// The epoch that it was made against.
    pub epoch: Epoch,
    /// The revision that it was made against; the hash does not depend on it.
    pub revision: Revision,
    /// Flags that would change.
    pub flags: Vec<FlagDiff>,
    /// Segments that would change.
    pub segments: Vec<SegmentDiff>,
    /// The settings, where they would change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<SettingsDiff>,
    /// How many flags and segments a file set has that are as its files say, or stay as they are.
    #[serde(default)]
    pub unchanged: usize,
    /// What stays different from a file set, because it was changed by hand since the set was last applied and its files say
    /// what they said then.
    #[serde(default)]
    pub kept: Vec<KeptEdit>,
    /// What the file set takes over.
    #[serde(default)]
    pub adopted: Vec<AdoptedEntry>,
    /// How many users would get a different variant, computed with the engine that applications use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<UserShare>,
    /// The same for each flag of which some user would get a different variant.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shares: BTreeMap<FlagKey, FlagShare>,
    /// Kills that stay on flags of the plan: these go on serving their safe variant.
    #[serde(default)]
    pub kills: BTreeMap<FlagKey, Vec<KillId>>,
    /// What to think of before going on.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// A part of a flag or a segment that stays different from its file.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeptEdit {
    /// Where it is: `flags.checkout-v2.rules[gradual].serve.split`.
    pub path: String,
    /// What the file says; absent = it has nothing there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Value>,
    /// What stays; absent = it was taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Value>,
    /// The live rollout that moves it, where that is why it stays: then even though the files changed just that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutId>,
    /// The last change of the flag or segment, where it is still there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_change: Option<ChangedBy>,
}

/// A flag or a segment that gets another owner.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdoptedEntry {
    /// The entry: `flags.checkout-v2`.
    pub path: String,
    /// The set that owned it; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SetName>,
}
