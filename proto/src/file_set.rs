//! A file set as it is applied: the complete contents of its files, in one change of a commit.

use indexmap::IndexMap;
use serde_json::Value;

use crate::flag::Flag;
use crate::flags_file;
use crate::key::{FlagKey, SegmentKey, SetName};
use crate::limits;
use crate::reader::{Read, Reader};
use crate::segment::Segment;

const MEMBERS: [&str; 5] = ["set", "segments", "flags", "absent", "takeover"];

/// `{"apply_set": {…}}`: makes the flags and segments of a set match its files, except for what was changed by hand since
/// the last apply and has not changed in the files.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileSet {
    /// The set; `default` if omitted.
    pub set: SetName,
    /// The segments of its files.
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, Segment>))]
    pub segments: IndexMap<SegmentKey, Segment>,
    /// The flags of its files.
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, Flag>))]
    pub flags: IndexMap<FlagKey, Flag>,
    /// What happens to entries of the set that its files no longer contain.
    pub absent: OnAbsent,
    /// What happens to entries of other owners, and to manual changes.
    pub takeover: Takeover,
}

/// What happens to entries of a set that its files no longer contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum OnAbsent {
    /// They stay, and the set still owns them.
    #[default]
    Stay,
    /// Entries of the set that its files no longer contain are deleted.
    Delete,
}

/// What happens to entries of other owners, and to manual changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Takeover {
    /// Entries of other owners are refused, and manual changes are kept.
    #[default]
    Refuse,
    /// The set takes over all entries of its files, and manual changes are overwritten.
    Adopt,
}

impl FileSet {
    pub(crate) fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        let map = reader.object(value)?;
        reader.members(map, "a file set", &MEMBERS, &[]);
        let set = reader.optional(map, "set", Reader::parsed);
        let segments = flags_file::entries(reader, map, "segments", limits::SEGMENTS, Segment::from_value);
        let flags = flags_file::entries(reader, map, "flags", limits::FLAGS, Flag::from_value);
        let absent = reader.optional(map, "absent", |reader, value| word(reader, value, "\"stay\" or \"delete\""));
        let takeover = reader.optional(map, "takeover", |reader, value| word(reader, value, "\"refuse\" or \"adopt\""));
        Ok(Self {
            set: set.unwrap_or_default(),
            segments,
            flags,
            absent: absent.unwrap_or_default(),
            takeover: takeover.unwrap_or_default(),
        })
    }
}

fn word<T: serde::de::DeserializeOwned>(reader: &mut Reader, value: &Value, known: &str) -> Read<T> {
    serde_json::from_value(value.clone()).or_else(|_| reader.refuse(format!("must be {known}")))
}
