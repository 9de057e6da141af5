//! Releases: the commits that one deployment made, with the checkpoint taken before the first of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::actor::Actor;
use crate::check::Check;
use crate::key::{CheckpointName, FlagKey, ReleaseName, Tag};
use crate::revision::Sequence;
use crate::table::Entity;
use crate::validation::ValidationErrors;

/// A release. Its commits carry its name in the log.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Release {
    /// The release's name.
    pub name: ReleaseName,
    /// The checkpoint that was taken when it began.
    pub baseline: CheckpointName,
    /// Whether changes can still join it.
    pub state: ReleaseState,
    /// Who began the release.
    pub by: Actor,
    /// When the release began.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// Who finished it, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<ReleaseEnd>,
    /// The details of the release.
    #[serde(flatten)]
    pub details: ReleaseDetails,
    /// Number of commits that belong to it.
    pub commits: u64,
    /// The position of the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Sequence>,
}

/// Whether changes can join a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ReleaseState {
    /// The release is open: commits can still join it.
    Open,
    /// The release is finished.
    Finished,
}

/// The end of a release.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleaseEnd {
    /// Who finished the release.
    pub by: Actor,
    /// When the release was finished.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
}

/// The details of a release. All are optional, but a protected environment requires some of them before exposure
/// may be raised above zero.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleaseDetails {
    /// Flags that it is expected to change. All flags that it changes belong to it in any case.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub flags: BTreeSet<FlagKey>,
    /// Tags of flags that it is expected to change.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<Tag>,
    /// What is deployed: `web 2026.11.24`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// The commit of the source code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The digest of the container image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The criteria for its success.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub success: Vec<String>,
    /// The signals for which it is rolled back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failure: Vec<String>,
    /// Seconds from its start within which it can be rolled back as planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<u64>,
    /// How each flag's data is protected: `expand-contract migration 41, both formats are read`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<FlagKey, String>,
    /// The owners by role: `commander`, `operations`, `communications`, …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub owners: BTreeMap<String, String>,
    /// Checks that a rollback of it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
}

impl Entity for Release {
    type Key = ReleaseName;
    const KIND: &'static str = "release";

    fn parse(json: &str) -> Result<Self, ValidationErrors> {
        serde_json::from_str(json).map_err(|error| ValidationErrors::one("", error.to_string()))
    }
}
