//! Bodies of `sets`: the file sets, and what each owns.

use crate::key::{FlagKey, SegmentKey, SetName};

/// A file set and what it owns.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetView {
    /// The name of the set.
    pub set: SetName,
    /// The existing flags that it owns.
    pub flags: Vec<FlagKey>,
    /// The existing segments that it owns.
    pub segments: Vec<SegmentKey>,
}
