//! Conditions: what must hold for a rule to serve.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde_json::Value;

use crate::key::SegmentKey;
use crate::limits;
use crate::reader::{Read, Reader};
use crate::validation::ValidationErrors;
use crate::value::Scalar;

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
    /// Every one of them holds; true where empty.
    All(Vec<Condition>),
    /// At least one of them holds; false where empty.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// The named segment's condition holds.
    Segment(SegmentKey),
    /// An imported JSONLogic rule that is truthy.
    JsonLogic(serde_json::Value),
    /// A test on one attribute.
    Attribute {
        /// The path of the attribute to test.
        attribute: AttributePath,
        /// What it must satisfy.
        test: Test,
    },
}

/// A test on one attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The same value (29 equals 29.0).
    Equals(Scalar),
    /// One of the values.
    OneOf(Vec<Scalar>),
    /// A string that holds this text, or a list that holds this value.
    Contains(Scalar),
    /// A string that starts so.
    StartsWith(String),
    /// A string that ends so.
    EndsWith(String),
    /// A string that the regular expression matches somewhere (linear time).
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
    /// An earlier or the same version.
    SemverLte(semver::Version),
    /// The attribute is a later version.
    SemverGt(semver::Version),
    /// A later or the same version.
    SemverGte(semver::Version),
    /// A version within the range (Cargo's syntax, several joined by commas).
    SemverIn(semver::VersionReq),
    /// An instant (RFC 3339) before this one.
    Before(jiff::Timestamp),
    /// An instant (RFC 3339) after this one.
    After(jiff::Timestamp),
    /// An IP address in one of the networks.
    InCidr(Vec<ipnet::IpNet>),
    /// Whether the attribute is there at all.
    Exists(bool),
}

impl Condition {
    /// An unknown operator of an imported rule within it, if any; see [`crate::flagd::unknown_operator`].
    pub fn unknown_operator(&self) -> Option<&str> {
        match self {
            Self::All(items) | Self::Any(items) => items.iter().find_map(Self::unknown_operator),
            Self::Not(inner) => inner.unknown_operator(),
            Self::JsonLogic(rule) => crate::flagd::unknown_operator(rule),
            Self::Segment(_) | Self::Attribute { .. } => None,
        }
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

/// Reads a version leniently, as an attribute may hold it: one leading `v` is dropped, and a missing minor or patch is 0.
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
