//! The definition of a flag.

mod cautions;
mod dead_rules;
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

pub use self::dead_rules::DeadRule;

/// A flag: typed variants, rules, a default and a safe variant. A value of this type is valid on its own; its references
/// to segments and other flags are checked against a snapshot, see [`crate::references`].
#[derive(Debug, Clone, PartialEq)]
pub struct Flag {
    /// A description for people; it has no effect on what is served.
    pub description: Option<String>,
    /// The owner of the flag.
    pub owner: Option<String>,
    /// Tags, by which kills and releases can select it.
    pub tags: BTreeSet<Tag>,
    /// Whether the flag is on; if it is off, callers get their own default.
    pub enabled: bool,
    /// The values it can serve.
    pub variants: Variants,
    /// The variant to serve when no rule matches; `None` = the caller's own default.
    pub default: Option<VariantName>,
    /// The variant to serve when the flag is killed or its lease has expired; `None` = the caller's own default.
    pub safe: Option<VariantName>,
    /// The rules, tried in order; the first one whose condition is true decides.
    pub rules: Vec<Rule>,
    /// Prerequisites: unless these flags serve the given variants, the default variant is served.
    pub requires: Vec<Requirement>,
    /// How long an application may serve the flag without contact to the server.
    pub lease: Option<Lease>,
    /// The change that a rollback cannot undo.
    pub one_way: Option<OneWay>,
    /// Checks that a rollback of it runs.
    pub checks: Vec<Check>,
    /// Whether browsers may evaluate it: public keys (role `client`) see only such flags.
    pub client: bool,
    /// Whether it is served to flagd's clients although it has a lease, which they do not support.
    pub flagd_without_lease: bool,
    /// Arbitrary members for other tools.
    pub metadata: serde_json::Map<String, Value>,
    /// When a temporary flag should be removed.
    pub expires_at: Option<jiff::Timestamp>,
}

/// A prerequisite: `flag` must serve `variant`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Requirement {
    /// The key of the required flag.
    pub flag: FlagKey,
    /// The variant that it must serve.
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
