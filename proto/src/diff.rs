//! Differences between two states of an environment, and their impact on users.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::actor::Actor;
use crate::key::{FlagKey, ReleaseName, SegmentKey};
use crate::policy::Policy;
use crate::revision::{Epoch, Revision, Sequence};
use crate::settings::Settings;

/// The changes of a proposal, with the state when it was made and the state after it.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ProposalDiff {
    /// The flags that would change; for a staged rollback, as they are at its end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<FlagDiff>,
    /// The segments that would change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentDiff>,
    /// The settings, if they change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<SettingsDiff>,
    /// The policy, if it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyDiff>,
    /// Other effects, one sentence each: kills that are lifted, rollouts that start or resume.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// How many users would get a different variant; only for a single pending proposal, not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<UserShare>,
    /// The share for each flag of which any user would get a different variant.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub shares: BTreeMap<FlagKey, FlagShare>,
}

/// The policy before and after a change.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyDiff {
    /// The current policy.
    pub from: Policy,
    /// The policy after the change.
    pub to: Policy,
}

/// A flag before and after a change.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlagDiff {
    /// The key of the flag.
    pub key: FlagKey,
    /// The definition before the change; absent if it does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::Flag>))]
    pub from: Option<Box<RawValue>>,
    /// The definition after the change; absent if it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::Flag>))]
    pub to: Option<Box<RawValue>>,
}

/// A segment before and after a change.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SegmentDiff {
    /// The key of the segment.
    pub key: SegmentKey,
    /// The definition before the change; absent if it does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::Segment>))]
    pub from: Option<Box<RawValue>>,
    /// The definition after the change; absent if it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::Segment>))]
    pub to: Option<Box<RawValue>>,
}

/// The settings before and after a change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SettingsDiff {
    /// The settings before the change.
    pub from: Settings,
    /// The settings after the change.
    pub to: Settings,
}

/// The impact of a change on the users of one flag.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlagShare {
    /// Number of contexts whose variant changes.
    pub changed: u64,
    /// The share as a fraction of one: 0.125 is an eighth.
    pub share: f64,
}

/// The impact of a change on users.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserShare {
    /// Whether the users are simulated or uploaded.
    pub source: Population,
    /// Number of users.
    pub contexts: u64,
    /// Number of users who get a different variant of at least one flag.
    pub changed: u64,
    /// The share as a fraction of one: 0.125 is an eighth.
    pub share: f64,
}

/// The users over whom an impact is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Population {
    /// Simulated: `user-1` to `user-n`, with attributes from the constants that rules and segments mention.
    Synthetic,
    /// Uploaded with the request.
    Sample,
}

/// The commit that last changed something.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangedBy {
    /// Its position in the log.
    pub sequence: Sequence,
    /// The epoch of the revision; revisions of different epochs cannot be compared.
    pub epoch: Epoch,
    /// The revision that it made.
    pub revision: Revision,
    /// When the commit was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// Who made the commit.
    pub actor: Actor,
    /// The reason given for the commit; absent if none was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The release that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseName>,
}

/// A flag or segment that stays as it is; exactly one of `flag` and `segment` is set.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
