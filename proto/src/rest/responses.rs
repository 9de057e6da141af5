//! Responses of writes.

use std::collections::BTreeMap;

use crate::confirmation::Confirmation;
use crate::flag::DeadRule;
use crate::key::{FlagKey, SegmentKey};
use crate::revision::{Epoch, Revision};

/// The response to an edit of flags, segments or settings, alone or in a commit.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WriteResponse {
    /// The epoch of the revision; revisions of different epochs cannot be compared.
    pub epoch: Epoch,
    /// The revision from which it holds: the new one, or the current one if nothing had to change.
    pub revision: Option<Revision>,
    /// Whether anything changed, apart from records such as the owner of a flag.
    pub changed: bool,
    /// The keys of the flags whose definition or kills changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<FlagKey>,
    /// The keys of the segments that changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentKey>,
    /// Warnings: things to know although the request succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The rules of the written flags that can never be reached. A warning tells of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dead_rules: BTreeMap<FlagKey, Vec<DeadRule>>,
    /// Confirmations, as of the end of `?wait=`, or as of now. Looked up again for a repeated request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
}

/// The response to a write of records such as keys, which makes no revision.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordResponse {
    /// The id or name of the record.
    pub id: String,
    /// The epoch of the log that contains it.
    pub epoch: Epoch,
    /// Always `null`.
    pub revision: Option<Revision>,
}
