//! Segments: named, reusable conditions.

use serde::ser::SerializeMap as _;
use serde_json::Value;

use crate::condition::{Condition, WantedTypes};
use crate::key::SegmentKey;
use crate::reader::{self, Read, Reader};
use crate::table::{Entity, Table};
use crate::validation::{ValidationError, ValidationErrors};
use crate::{flagd, json, limits};

const MEMBERS: [&str; 2] = ["description", "when"];

/// A segment. Its JSON is the bare condition, or `{"description": …, "when": condition}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// A description for people; it has no effect on what is served.
    pub description: Option<String>,
    /// The condition that puts a user into the segment.
    pub when: Condition,
}

impl Segment {
    /// Reads the JSON form and reports every problem.
    pub fn from_value(value: &Value) -> Result<Self, ValidationErrors> {
        reader::read(value, |reader, value| {
            reader.size(value, limits::SEGMENT_BYTES, "; split it into several")?;
            Self::read(reader, value)
        })
    }

    /// Conditions that can never work, and tests that mix types, each with its path; see [`crate::Flag::cautions`].
    pub fn cautions(&self) -> Vec<ValidationError> {
        let unknown = self.when.unknown_operators().into_iter().map(flagd::unknown_operator_caution);
        let mut found: Vec<_> = unknown.map(|problem| ValidationError::new("when", problem)).collect();
        WantedTypes::default().visit(&self.when, "when", &mut found);
        let always = match self.when.constant(&Table::default()) {
            Some(true) => Some("everyone is in it, so no rule behind one that names it is ever reached"),
            Some(false) => Some("no user is in it"),
            None => None,
        };
        found.extend(always.map(|problem| ValidationError::new("when", problem)));
        found
    }

    fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        let map = reader.object(value)?;
        if !MEMBERS.iter().any(|member| map.contains_key(*member)) {
            return Condition::read(reader, value).map(|when| Self { description: None, when });
        }
        reader.members(map, "a segment", &MEMBERS, &[]);
        let description = reader.optional(map, "description", Reader::prose);
        let when = reader.required(map, "when", "a condition", Condition::read)?;
        Ok(Self { description, when })
    }
}

impl Condition {
    /// The value of a condition that is the same for every user; `None` if it depends on the user, or on a segment that is not among
    /// `segments`.
    pub fn constant(&self, segments: &Table<Segment>) -> Option<bool> {
        self.constant_within(segments, limits::SEGMENT_DEPTH)
    }

    fn constant_within(&self, segments: &Table<Segment>, depth: usize) -> Option<bool> {
        let constant = |item: &Self| item.constant_within(segments, depth);
        match self {
            Self::All(items) => {
                if items.iter().any(|item| constant(item) == Some(false)) {
                    return Some(false);
                }
                items.iter().all(|item| constant(item) == Some(true)).then_some(true)
            }
            Self::Any(items) => {
                if items.iter().any(|item| constant(item) == Some(true)) {
                    return Some(true);
                }
                items.iter().all(|item| constant(item) == Some(false)).then_some(false)
            }
            Self::Not(inner) => constant(inner).map(|value| !value),
            Self::Segment(key) => segments.value(key.as_str())?.when.constant_within(segments, depth.checked_sub(1)?),
            Self::JsonLogic(_) | Self::Attribute { .. } => None,
        }
    }
}

impl Entity for Segment {
    type Key = SegmentKey;
    const KIND: &'static str = "segment";

    fn parse(json: &str) -> Result<Self, ValidationErrors> {
        Self::from_value(&json::parse(json)?)
    }
}

impl serde::Serialize for Segment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(description) = &self.description else {
            return self.when.serialize(serializer);
        };
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("description", description)?;
        map.serialize_entry("when", &self.when)?;
        map.end()
    }
}

impl<'de> serde::Deserialize<'de> for Segment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json::Strict(value) = json::Strict::deserialize(deserializer)?;
        Self::from_value(&value).map_err(serde::de::Error::custom)
    }
}
