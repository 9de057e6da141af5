//! The answer of `POST rollbacks/plan`.

use serde_json::value::RawValue;

use crate::diff::{ChangedBy, FlagShare, SegmentDiff, SettingsDiff, UserShare};
use crate::digest::Digest;
use crate::key::{FlagKey, SegmentKey, VariantName};
use crate::kill::KillId;
use crate::revision::{Epoch, Revision};
use crate::rollback::{RollbackId, RollbackScope, RollbackTarget};
use crate::validation::ValidationError;

/// What a rollback would do. Executing with `hash` as `plan` does exactly this, or is refused.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RollbackPlan {
    /// What to give as `plan`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub hash: Digest,
    /// Where it goes back to.
    pub target: RollbackTarget,
    /// What it puts back.
    pub scope: RollbackScope,
    /// Only for users in this segment, where it was asked so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<SegmentKey>,
    /// The epoch that it was made against.
    pub epoch: Epoch,
    /// The revision that it was made against; the hash does not depend on it.
    pub revision: Revision,
    /// Flags that would change, by key.
    pub flags: Vec<PlannedFlag>,
    /// Segments that would change.
    pub segments: Vec<SegmentDiff>,
    /// The settings, where they would change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<SettingsDiff>,
    /// Flags and segments that stay as they are, because others have changed them.
    pub conflicts: Vec<PlanConflict>,
    /// Flags of the plan that stay killed.
    pub kills: Vec<KilledFlag>,
    /// One-way doors that it would pass.
    pub one_way: Vec<OneWayCrossing>,
    /// References that it would break, prerequisites among them: while there are any it is refused.
    pub breaks: Vec<ValidationError>,
    /// Flags for which rules cannot say what is asked: while there are any it is refused.
    pub cannot: Vec<BlockedFlag>,
    /// Live rollouts that it would stop.
    pub rollouts: Vec<StoppedRollout>,
    /// A rollback of the same flags that is under way: while it is, this one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<RollbackId>,
    /// How many users would get a different variant of at least one flag.
    pub users: UserShare,
    /// The steps, where it goes down a ladder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<PlannedStages>,
    /// What to think of before going on.
    pub warnings: Vec<String>,
}

/// A flag, as it is and as it would be.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlannedFlag {
    /// The key of the flag.
    pub key: FlagKey,
    /// As it is; `null` = it was deleted.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::Flag>))]
    pub from: Option<Box<RawValue>>,
    /// As it would be.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::Flag>))]
    pub to: Option<Box<RawValue>>,
    /// Whom it serves what, in words, now.
    pub now: String,
    /// The same after the rollback.
    pub then: String,
    /// What differs, in words.
    pub differs: Vec<String>,
    /// The commit that changed it last; absent where the log does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<ChangedBy>,
    /// How many users would get a different variant of this flag.
    pub users: FlagShare,
}

/// Something that stays as it is; exactly one of `flag` and `segment` is there.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlanConflict {
    /// The key of the flag, if the conflict is about a flag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<FlagKey>,
    /// The key of the segment, if the conflict is about a segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<SegmentKey>,
    /// Why it conflicts, in words.
    pub why: String,
    /// The later commit by someone else; absent if it is not in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<ChangedBy>,
}

/// A flag that stays killed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KilledFlag {
    /// The key of the flag.
    pub flag: FlagKey,
    /// The ids of the kills that cover the flag.
    pub kills: Vec<KillId>,
    /// Whether what it serves while it is killed would change: then it is refused without `allow_killed_edit`.
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
    /// Why that cannot simply be undone.
    pub reason: String,
    /// The checkpoint of the data from which it could be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_checkpoint: Option<String>,
    /// Whether the request named it in `acknowledge_one_way`.
    pub acknowledged: bool,
}

/// A flag for which rules cannot say it.
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

/// The way down in steps.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlannedStages {
    /// Seconds that each is held.
    pub every_seconds: u64,
    /// Each step; the last is the target itself.
    pub steps: Vec<PlannedStage>,
    /// Flags that go back whole at the first step, because more than the weights of one split differs.
    pub whole: Vec<FlagKey>,
    /// Flags that go back at the last step, because they expose more at the target.
    pub last: Vec<FlagKey>,
}

/// One step of the way down.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlannedStage {
    /// Exposure is capped at this percentage; `null` = the target itself.
    pub percent: Option<f64>,
    /// Seconds after the first commit.
    pub after_seconds: u64,
    /// Flags that it changes.
    pub flags: u64,
}
