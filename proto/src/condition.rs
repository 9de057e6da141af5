//! Conditions: what must be true for a rule to match.

mod read;
#[cfg(test)]
mod tests;
mod types;
mod version_range;
mod write;

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde_json::Value;

use crate::key::SegmentKey;
use crate::limits;
use crate::reader::{Read, Reader};
use crate::validation::ValidationErrors;
use crate::value::Scalar;

pub(crate) use self::types::WantedTypes;
pub use self::version_range::{VersionBounds, version_bounds};

/// The forms of a condition that are not a test on an attribute.
pub(crate) const FORMS: [&str; 5] = ["all", "any", "not", "segment", "jsonlogic"];
/// The operators of a test on an attribute.
pub(crate) const OPERATORS: [&str; 20] = [
    "equals",
    "one_of",
    "contains",
    "starts_with",
    "ends_with",
    "matches",
    "lt",
    "lte",
    "gt",
    "gte",
    "semver_eq",
    "semver_lt",
    "semver_lte",
    "semver_gt",
    "semver_gte",
    "semver_in",
    "before",
    "after",
    "in_cidr",
    "exists",
];

/// A dotted path into the context: `app.version`. It names the member `version` of the attribute `app`, or an attribute that
/// is itself called `app.version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributePath(String);

impl AttributePath {
    /// 1 to 255 characters, none of them a control character.
    pub fn new(text: &str) -> Result<Self, ValidationErrors> {
        let length = text.chars().count();
        if (1..=limits::NAME_CHARACTERS).contains(&length) && !text.chars().any(char::is_control) {
            return Ok(Self(text.to_owned()));
        }
        Err(ValidationErrors::one(
            "",
            format!(
                "{text:?} is not an attribute path; it must have 1 to {} characters, none of them a control character",
                limits::NAME_CHARACTERS
            ),
        ))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        reader.parsed(value)
    }
}

impl FromStr for AttributePath {
    type Err = ValidationErrors;

    fn from_str(text: &str) -> Result<Self, ValidationErrors> {
        Self::new(text)
    }
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for AttributePath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A condition tree, at most 16 deep. A missing attribute makes a test false, never an error.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All conditions hold; true if the list is empty.
    All(Vec<Condition>),
    /// At least one condition holds; false if the list is empty.
    Any(Vec<Condition>),
    /// The condition does not hold.
    Not(Box<Condition>),
    /// The named segment's condition holds.
    Segment(SegmentKey),
    /// An imported JSONLogic rule that is truthy.
    JsonLogic(serde_json::Value),
    /// A test on one attribute.
    Attribute {
        /// The path of the attribute to test.
        attribute: AttributePath,
        /// The test.
        test: Test,
    },
}

/// A test on one attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The attribute equals the value (29 equals 29.0).
    Equals(Scalar),
    /// The attribute equals one of the values.
    OneOf(Vec<Scalar>),
    /// The attribute is a string that contains this text, or a list that contains this value.
    Contains(Scalar),
    /// The attribute is a string that starts with this text.
    StartsWith(String),
    /// The attribute is a string that ends with this text.
    EndsWith(String),
    /// The attribute is a string in which the regular expression matches anywhere (in linear time).
    Matches(String),
    /// The attribute is less than the number.
    Lt(serde_json::Number),
    /// The attribute is less than or equal to the number.
    Lte(serde_json::Number),
    /// The attribute is greater than the number.
    Gt(serde_json::Number),
    /// The attribute is greater than or equal to the number.
    Gte(serde_json::Number),
    /// The attribute is the same version.
    SemverEq(semver::Version),
    /// The attribute is an earlier version.
    SemverLt(semver::Version),
    /// The attribute is an earlier version or the same.
    SemverLte(semver::Version),
    /// The attribute is a later version.
    SemverGt(semver::Version),
    /// The attribute is a later version or the same.
    SemverGte(semver::Version),
    /// The attribute is a version in the range (Cargo's syntax; several ranges are separated by commas).
    SemverIn(semver::VersionReq),
    /// The attribute is a time (RFC 3339) before this one.
    Before(jiff::Timestamp),
    /// The attribute is a time (RFC 3339) after this one.
    After(jiff::Timestamp),
    /// The attribute is an IP address in one of the networks.
    InCidr(Vec<ipnet::IpNet>),
    /// The attribute exists, or does not exist.
    Exists(bool),
}

impl Condition {
    /// An unknown operator of an imported rule in the condition, if any; see [`crate::flagd::unknown_operator`].
    pub fn unknown_operator(&self) -> Option<&str> {
        match self {
            Self::All(items) | Self::Any(items) => items.iter().find_map(Self::unknown_operator),
            Self::Not(inner) => inner.unknown_operator(),
            Self::JsonLogic(rule) => crate::flagd::unknown_operator(rule),
            Self::Segment(_) | Self::Attribute { .. } => None,
        }
    }

    /// All of them, each once.
    pub(crate) fn unknown_operators(&self) -> Vec<&str> {
        let mut found: Vec<&str> = match self {
            Self::All(items) | Self::Any(items) => items.iter().flat_map(Self::unknown_operators).collect(),
            Self::Not(inner) => inner.unknown_operators(),
            Self::JsonLogic(rule) => crate::flagd::unknown_operators(rule),
            Self::Segment(_) | Self::Attribute { .. } => Vec::new(),
        };
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Calls `visit` with the key of each segment that it names, and its path within the condition: `all[1].segment`.
    pub fn segments<'c>(&'c self, visit: &mut impl FnMut(&'c SegmentKey, &str)) {
        self.segments_within(&mut String::new(), visit);
    }

    fn segments_within<'c>(&'c self, path: &mut String, visit: &mut impl FnMut(&'c SegmentKey, &str)) {
        let end = path.len();
        let separator = if end == 0 { "" } else { "." };
        match self {
            Self::Segment(key) => visit(key, &format!("{path}{separator}segment")),
            Self::Not(inner) => {
                path.push_str(separator);
                path.push_str("not");
                inner.segments_within(path, visit);
                path.truncate(end);
            }
            Self::All(items) | Self::Any(items) => {
                let name = if matches!(self, Self::All(_)) { "all" } else { "any" };
                for (index, item) in items.iter().enumerate() {
                    // Writing to a String cannot fail.
                    let _ = write!(path, "{separator}{name}[{index}]");
                    item.segments_within(path, visit);
                    path.truncate(end);
                }
            }
            Self::JsonLogic(_) | Self::Attribute { .. } => {}
        }
    }
}

/// Compiles the pattern of [`Test::Matches`], within [`limits::REGEX_BYTES`].
#[cfg(feature = "regex")]
pub fn compile_pattern(pattern: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(pattern)
        .size_limit(limits::REGEX_BYTES)
        .dfa_size_limit(limits::REGEX_BYTES)
        .build()
}

/// Reads a version leniently, as attributes contain them: one leading `v` is dropped, and a missing minor or patch is 0.
pub fn parse_version(text: &str) -> Option<semver::Version> {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    if let Ok(version) = semver::Version::parse(text) {
        return Some(version);
    }
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at_checked(end)?;
    let padded = match numbers.matches('.').count() {
        0 => format!("{numbers}.0.0{rest}"),
        1 => format!("{numbers}.0{rest}"),
        _ => return None,
    };
    semver::Version::parse(&padded).ok()
}
