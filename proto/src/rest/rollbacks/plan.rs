//! The response to `POST rollbacks/plan`.

use serde_json::value::RawValue;

use crate::diff::{ChangedBy, FlagShare, SegmentDiff, SettingsDiff, UserShare};
use crate::digest::Digest;
use crate::key::{FlagKey, SegmentKey, VariantName};
use crate::kill::KillId;
use crate::revision::{Epoch, Revision};
use crate::rollback::{RollbackId, RollbackScope, RollbackTarget};
use crate::validation::ValidationError;

pub use crate::diff::PlanConflict;

/// The effect of a rollback. Executing it with `hash` as `plan` does exactly this, or is refused.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RollbackPlan {
    /// The hash of the plan; pass it as `plan` to execute exactly this.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub hash: Digest,
    /// The target of the rollback.
    pub target: RollbackTarget,
    /// The scope of the rollback.
    pub scope: RollbackScope,
    /// The segment, if the rollback is for its users only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<SegmentKey>,
    /// The epoch of the state that the plan was computed for.
    pub epoch: Epoch,
    /// The revision that the plan was computed for; the hash does not depend on it.
    pub revision: Revision,
    /// How many flags are in the scope, those that stay as they are included.
    #[serde(default)]
    pub flags_in_scope: usize,
    /// Flags that would change, by key.
    pub flags: Vec<PlannedFlag>,
    /// Segments that would change.
    pub segments: Vec<SegmentDiff>,
    /// The settings, if they would change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<SettingsDiff>,
    /// Flags and segments that stay as they are because others changed them.
    pub conflicts: Vec<PlanConflict>,
    /// Flags of the plan that stay killed.
    pub kills: Vec<KilledFlag>,
    /// One-way doors that it would cross.
    pub one_way: Vec<OneWayCrossing>,
    /// References that it would break, including prerequisites. If there are any, it is refused.
    pub breaks: Vec<ValidationError>,
    /// Flags whose rules cannot express the target. If there are any, it is refused.
    pub cannot: Vec<BlockedFlag>,
    /// Live rollouts that it would stop.
    pub rollouts: Vec<StoppedRollout>,
    /// A rollback of the same flags that is in progress. While it is, this one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<RollbackId>,
    /// How many users would get a different variant of at least one flag.
    pub users: UserShare,
    /// The steps of a staged rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<PlannedStages>,
    /// Warnings to consider before executing it.
    pub warnings: Vec<String>,
}

/// A flag before and after the rollback.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlannedFlag {
    /// The key of the flag.
    pub key: FlagKey,
    /// The current flag; `null` if it was deleted.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::Flag>))]
    pub from: Option<Box<RawValue>>,
    /// The flag after the rollback.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::Flag>))]
    pub to: Option<Box<RawValue>>,
    /// What it serves now, and to which users, in words.
    pub now: String,
    /// What it would serve after the rollback, and to which users, in words.
    pub then: String,
    /// What differs, in words.
    pub differs: Vec<String>,
    /// The commit that last changed it; absent if the log does not contain it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<ChangedBy>,
    /// How many users would get a different variant of this flag.
    pub users: FlagShare,
}

/// A flag that stays killed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KilledFlag {
    /// The key of the flag.
    pub flag: FlagKey,
    /// The ids of the kills that cover the flag.
    pub kills: Vec<KillId>,
    /// Whether the variant that it serves while killed would change; this requires `allow_killed_edit`.
    pub needs_allow_killed_edit: bool,
}

/// A one-way door that the rollback would cross.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OneWayCrossing {
    /// The key of the flag.
    pub flag: FlagKey,
    /// The variant that some users would lose.
    pub from: VariantName,
    /// Why this cannot simply be undone.
    pub reason: String,
    /// The backup from which the data could be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_checkpoint: Option<String>,
    /// Whether the request named it in `acknowledge_one_way`.
    pub acknowledged: bool,
}

/// A flag whose rules cannot express the target.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BlockedFlag {
    /// The key of the flag.
    pub flag: FlagKey,
    /// Why rules cannot express the change, in words.
    pub why: String,
}

/// A live rollout that the rollback would stop.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StoppedRollout {
    /// The name of the rollout.
    pub name: String,
}

/// The steps of a staged rollback.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlannedStages {
    /// Seconds for which each step is held.
    pub every_seconds: u64,
    /// The steps; the last one is the target itself.
    pub steps: Vec<PlannedStage>,
    /// Flags that are rolled back completely at the first step, because more than the weights of one split differs.
    pub whole: Vec<FlagKey>,
    /// Flags that are rolled back at the last step, because the target exposes more.
    pub last: Vec<FlagKey>,
}

/// A step of a staged rollback.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlannedStage {
    /// Exposure is capped at this percentage; `null` = the target itself.
    pub percent: Option<f64>,
    /// Seconds after the first commit.
    pub after_seconds: u64,
    /// Number of flags that it changes.
    pub flags: u64,
}
