//! Conditions: what must hold for a rule to serve.

use crate::key::SegmentKey;
use crate::value::Scalar;

/// A dotted path into the context: `app.version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributePath(String);

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
        /// Which.
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
    /// Less than.
    Lt(serde_json::Number),
    /// At most.
    Lte(serde_json::Number),
    /// Greater than.
    Gt(serde_json::Number),
    /// At least.
    Gte(serde_json::Number),
    /// The same version.
    SemverEq(semver::Version),
    /// An earlier version.
    SemverLt(semver::Version),
    /// An earlier or the same version.
    SemverLte(semver::Version),
    /// A later version.
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
