//! `segments` and `segments/{key}`.

use serde_json::value::RawValue;

use crate::key::{FlagKey, SegmentKey};
use crate::revision::{Epoch, Revision};

/// A segment: `GET segments/{key}`, and an item of `GET segments`.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SegmentView {
    /// The key of the segment.
    pub key: SegmentKey,
    /// The epoch of its last change.
    pub epoch: Epoch,
    /// The revision of its last change; together with the epoch its ETag.
    pub revision: Revision,
    /// The segment as it was written.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::Segment))]
    pub segment: Box<RawValue>,
    /// The flags whose rules name it.
    #[serde(default)]
    pub used_by: Vec<FlagKey>,
    /// Whether the store could not be reached when this was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}
