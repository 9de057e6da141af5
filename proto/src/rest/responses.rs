//! Responses of writes.

use crate::confirmation::Confirmation;
use crate::key::{FlagKey, SegmentKey};
use crate::revision::{Epoch, Revision};

/// The answer to an edit of flags, segments or settings, alone or in a commit.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WriteResponse {
    /// The epoch of the revision; revisions of different epochs cannot be compared.
    pub epoch: Epoch,
    /// The revision from which on it holds: the new one, or the current one where nothing had to change.
    pub revision: Option<Revision>,
    /// Whether anything had to change.
    pub changed: bool,
    /// Flags that answer by another definition or are covered by other kills than before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<FlagKey>,
    /// The keys of the segments that changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentKey>,
    /// What the caller should know although all went well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Who has confirmed it: after the time of `?wait=`, or else at once. Looked up again for a repeated call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
}

/// The answer to a write of records beside the flags (keys): it makes no revision.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordResponse {
    /// Whose record was written.
    pub id: String,
    /// The epoch of the log that contains it.
    pub epoch: Epoch,
    /// Always `null`.
    pub revision: Option<Revision>,
}
