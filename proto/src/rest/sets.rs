//! `sets`: which file sets there are, and what each owns.

use crate::key::{FlagKey, SegmentKey, SetName};

/// A file set and what it owns.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetView {
    /// The name of the set.
    pub set: SetName,
    /// Its flags that are there.
    pub flags: Vec<FlagKey>,
    /// Its segments that are there.
    pub segments: Vec<SegmentKey>,
}
