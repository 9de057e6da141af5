//! The definition of a flag.

#[cfg(test)]
mod laws;
mod read;
#[cfg(feature = "openapi")]
mod schema;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::check::Check;
use crate::json;
use crate::key::{FlagKey, Tag, VariantName};
use crate::lease::Lease;
use crate::one_way::OneWay;
use crate::rule::Rule;
use crate::table::Entity;
use crate::validation::ValidationErrors;
use crate::variant::Variants;

/// A flag: typed variants, rules, a default and a safe variant. A value of this type is valid in itself; what it refers to
/// outside of itself (segments, required flags) is checked against a snapshot, see [`crate::references`].
#[derive(Debug, Clone, PartialEq)]
pub struct Flag {
    /// A description for people; it has no effect on what is served.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What kills and releases can name it by.
    pub tags: BTreeSet<Tag>,
    /// Off serves the caller's own default.
    pub enabled: bool,
    /// The values it can serve.
    pub variants: Variants,
    /// The variant to serve when no rule matches; `None` = the caller's own default.
    pub default: Option<VariantName>,
    /// The variant to serve when the flag is killed or its lease has expired; `None` = the caller's own default.
    pub safe: Option<VariantName>,
    /// The rules, tried in order; the first one whose condition is true decides.
    pub rules: Vec<Rule>,
    /// Flags that must serve a given variant, or the rules are not tried.
    pub requires: Vec<Requirement>,
    /// How long an application may serve the flag without contact to the server.
    pub lease: Option<Lease>,
    /// The change that a rollback cannot undo.
    pub one_way: Option<OneWay>,
    /// Probes that a rollback of it asks.
    pub checks: Vec<Check>,
    /// Whether browsers may see it: public keys (role `client`) are told of no other flags.
    pub client: bool,
    /// Whether flagd's clients may have it although it has a lease, which they cannot keep.
    pub flagd_without_lease: bool,
    /// Free members for other tools.
    pub metadata: serde_json::Map<String, Value>,
    /// When a temporary flag should be gone.
    pub expires_at: Option<jiff::Timestamp>,
}

/// A prerequisite: `flag` must serve `variant`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Requirement {
    /// The key of the required flag.
    pub flag: FlagKey,
    /// What it must serve.
    pub variant: VariantName,
}

impl Entity for Flag {
    type Key = FlagKey;
    const KIND: &'static str = "flag";

    fn parse(json: &str) -> Result<Self, ValidationErrors> {
        Self::from_value(&json::parse(json)?)
    }
}

impl<'de> serde::Deserialize<'de> for Flag {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json::Strict(value) = json::Strict::deserialize(deserializer)?;
        Self::from_value(&value).map_err(serde::de::Error::custom)
    }
}
