//! The definition of a flag.

use std::collections::BTreeSet;

use crate::key::{FlagKey, Tag, VariantName};
use crate::lease::Lease;
use crate::rule::Rule;
use crate::variant::Variants;

/// A flag: typed variants, rules, a default and a safe variant. A value of this type is valid in itself; what it refers to
/// outside of itself (segments, required flags) is checked against a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Flag {
    /// For people.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What kills and releases can name it by.
    pub tags: BTreeSet<Tag>,
    /// Off serves the caller's own default.
    pub enabled: bool,
    /// The values it can serve.
    pub variants: Variants,
    /// What it serves when no rule matches; `None` = the caller's own default.
    pub default: Option<VariantName>,
    /// What it serves when it is killed or its lease has run out; `None` = the caller's own default.
    pub safe: Option<VariantName>,
    /// Tried in order.
    pub rules: Vec<Rule>,
    /// Flags that must serve a given variant before the rules are tried.
    pub requires: Vec<Requirement>,
    /// How long it may be served unheard.
    pub lease: Option<Lease>,
    /// Free members for other tools.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// When a temporary flag should be gone.
    pub expires_at: Option<jiff::Timestamp>,
}

/// A prerequisite: `flag` must serve `variant`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The required flag.
    pub flag: FlagKey,
    /// What it must serve.
    pub variant: VariantName,
}
