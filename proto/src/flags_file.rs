//! Flags files: flags and segments in a YAML or JSON document, for example in a repository.
//!
//! ```yaml
//! environment: production
//! set: payments
//! segments:
//!   beta: { attribute: plan, equals: beta }
//! flags:
//!   checkout-v2:
//!     variants: { on: true, off: false }
//!     default: off
//!     safe: off
//!     rules:
//!       - when: { segment: beta }
//!         serve: { split: [{ variant: on, weight: 25% }, { variant: off, weight: 75% }] }
//! ```
//!
//! JSON is read by the same parser, because it is YAML. Only `true` and `false` are booleans (YAML 1.2), so that `on`, `off`,
//! `yes` and `no` are strings.

pub mod schema;
#[cfg(test)]
mod tests;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::flag::Flag;
use crate::key::{EnvironmentKey, FlagKey, SegmentKey, SetName};
use crate::limits;
use crate::reader::{self, Read, Reader};
use crate::segment::Segment;
use crate::text::grouped_len;
use crate::validation::ValidationErrors;
use crate::yaml;

const MEMBERS: [&str; 4] = ["environment", "set", "segments", "flags"];

/// A flags file. Its entries are valid on their own; their references are checked against the environment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FlagsFile {
    /// The environment that it is for, if it names one.
    pub environment: Option<EnvironmentKey>,
    /// The file set that it belongs to, if it names one.
    pub set: Option<SetName>,
    /// Segments, in the order of the file.
    pub segments: IndexMap<SegmentKey, Segment>,
    /// Flags, in the order of the file.
    pub flags: IndexMap<FlagKey, Flag>,
}

impl FlagsFile {
    /// Reads YAML or JSON. A syntax error is reported with line and column; otherwise all problems of all entries are reported at once.
    pub fn parse(text: &str) -> Result<Self, ValidationErrors> {
        Self::from_value(&yaml::parse(text)?)
    }

    /// Reads the JSON form and reports every problem.
    pub fn from_value(value: &Value) -> Result<Self, ValidationErrors> {
        reader::read(value, Self::read)
    }

    fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        if value.is_null() {
            return reader.refuse("is empty; a flags file has \"flags\", and may have \"segments\", \"environment\" and \"set\"");
        }
        let map = reader.object(value)?;
        reader.members(map, "a flags file", &MEMBERS, &[]);
        let environment = reader.optional(map, "environment", Reader::parsed);
        let set = reader.optional(map, "set", Reader::parsed);
        let segments = entries(reader, map, "segments", limits::SEGMENTS, Segment::from_value);
        let flags = entries(reader, map, "flags", limits::FLAGS, Flag::from_value);
        Ok(Self {
            environment,
            set,
            segments,
            flags,
        })
    }

    /// Writes it as YAML, in the order of the entries. The same contents give the same text.
    #[cfg(feature = "yaml")]
    pub fn to_yaml(&self) -> Result<String, serde_saphyr::ser::Error> {
        serde_saphyr::to_string(self)
    }
}

/// The entries of a member that is a map by key; none if it is omitted or refused.
pub(crate) fn entries<K, V>(
    reader: &mut Reader,
    file: &Map<String, Value>,
    member: &str,
    most: usize,
    parse: impl Fn(&Value) -> Result<V, ValidationErrors>,
) -> IndexMap<K, V>
where
    K: std::str::FromStr<Err = ValidationErrors> + std::hash::Hash + Eq,
{
    let read = reader.optional(file, member, |reader, value| {
        let map = reader.object(value)?;
        if map.len() > most {
            let (entries, most) = (grouped_len(map.len()), grouped_len(most));
            return reader.refuse(format!("has {entries} entries; at most {most} are allowed"));
        }
        let read: Vec<_> = map
            .iter()
            .map(|(name, value)| reader.within(name, |reader| entry(reader, name, value, &parse)))
            .collect();
        read.into_iter().collect::<Read<IndexMap<_, _>>>()
    });
    read.unwrap_or_default()
}

fn entry<K, V>(reader: &mut Reader, name: &str, value: &Value, parse: impl Fn(&Value) -> Result<V, ValidationErrors>) -> Read<(K, V)>
where
    K: std::str::FromStr<Err = ValidationErrors>,
{
    let key = name.parse().or_else(|faults| reader.refuse_all(faults));
    let value = parse(value).or_else(|faults| reader.refuse_all(faults));
    Ok((key?, value?))
}

impl serde::Serialize for FlagsFile {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        if let Some(environment) = &self.environment {
            map.serialize_entry("environment", environment)?;
        }
        if let Some(set) = &self.set {
            map.serialize_entry("set", set)?;
        }
        if !self.segments.is_empty() {
            map.serialize_entry("segments", &self.segments)?;
        }
        map.serialize_entry("flags", &self.flags)?;
        map.end()
    }
}
