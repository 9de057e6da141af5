//! A file set as it is applied: what its files say, whole, in one change of a commit.

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
/// they were last applied and that the files say as they did.
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
    /// What becomes of the set's things that its files do not have any more.
    pub absent: OnAbsent,
    /// What becomes of what others hold.
    pub takeover: Takeover,
}

/// What becomes of a set's things that its files do not have any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum OnAbsent {
    /// They stay, and the set keeps owning them.
    #[default]
    Stay,
    /// Entries of the set that its files no longer contain are deleted.
    Delete,
}

/// What happens to entries of another set or of none, and to what was changed by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Takeover {
    /// Another's things are refused, and what was changed by hand stays.
    #[default]
    Refuse,
    /// The set owns whatever its files have, and all of it becomes as they say.
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
