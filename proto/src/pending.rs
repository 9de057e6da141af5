//! Filled in by the flag model.

use crate::fault::Faults;
use crate::table::Member;

impl serde::Serialize for crate::flag::Flag {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}
impl serde::Serialize for crate::segment::Segment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}
impl Member for crate::flag::Flag {
    type Key = crate::key::FlagKey;
    const KIND: &'static str = "flag";
    fn parse(_: &str) -> Result<Self, Faults> {
        Err(Faults::one("", "pending"))
    }
}
impl Member for crate::segment::Segment {
    type Key = crate::key::SegmentKey;
    const KIND: &'static str = "segment";
    fn parse(_: &str) -> Result<Self, Faults> {
        Err(Faults::one("", "pending"))
    }
}
