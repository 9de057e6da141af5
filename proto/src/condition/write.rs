//! Condition → JSON.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::condition::{Condition, Test};

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::All(items) => map.serialize_entry("all", items)?,
            Self::Any(items) => map.serialize_entry("any", items)?,
            Self::Not(inner) => map.serialize_entry("not", inner)?,
            Self::Segment(key) => map.serialize_entry("segment", key)?,
            Self::JsonLogic(rule) => map.serialize_entry("jsonlogic", rule)?,
            Self::Attribute { attribute, test } => {
                map.serialize_entry("attribute", attribute)?;
                test.write(&mut map)?;
            }
        }
        map.end()
    }
}

impl Test {
    /// The operator's name, as it is written.
    pub const fn operator(&self) -> &'static str {
        match self {
            Self::Equals(_) => "equals",
            Self::OneOf(_) => "one_of",
            Self::Contains(_) => "contains",
            Self::StartsWith(_) => "starts_with",
            Self::EndsWith(_) => "ends_with",
            Self::Matches(_) => "matches",
            Self::Lt(_) => "lt",
            Self::Lte(_) => "lte",
            Self::Gt(_) => "gt",
            Self::Gte(_) => "gte",
            Self::SemverEq(_) => "semver_eq",
            Self::SemverLt(_) => "semver_lt",
            Self::SemverLte(_) => "semver_lte",
            Self::SemverGt(_) => "semver_gt",
            Self::SemverGte(_) => "semver_gte",
            Self::SemverIn(_) => "semver_in",
            Self::Before(_) => "before",
            Self::After(_) => "after",
            Self::InCidr(_) => "in_cidr",
            Self::Exists(_) => "exists",
        }
    }

    fn write<M: serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let operator = self.operator();
        match self {
            Self::Equals(value) | Self::Contains(value) => map.serialize_entry(operator, value),
            Self::OneOf(values) => map.serialize_entry(operator, values),
            Self::StartsWith(text) | Self::EndsWith(text) | Self::Matches(text) => map.serialize_entry(operator, text),
            Self::Lt(number) | Self::Lte(number) | Self::Gt(number) | Self::Gte(number) => map.serialize_entry(operator, number),
            Self::SemverEq(version) | Self::SemverLt(version) | Self::SemverLte(version) | Self::SemverGt(version) | Self::SemverGte(version) => {
                map.serialize_entry(operator, &version.to_string())
            }
            Self::SemverIn(range) => map.serialize_entry(operator, &range.to_string()),
            Self::Before(instant) | Self::After(instant) => map.serialize_entry(operator, instant),
            Self::InCidr(networks) => map.serialize_entry(operator, networks),
            Self::Exists(exists) => map.serialize_entry(operator, exists),
        }
    }
}
