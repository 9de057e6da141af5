//! Kills: overlay entries that force flags to their safe variant. They are not part of a flag's definition.

use std::collections::BTreeSet;
use std::fmt;

use crate::actor::Actor;
use crate::flag::Flag;
use crate::key::{FlagKey, Tag};
use crate::table::{Entity, Table};
use crate::validation::ValidationErrors;

pub use crate::id::KillId;

/// What a kill covers: `{"flag": "checkout"}`, `{"tag": "payments"}` or `{"all": true}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum KillScope {
    /// The flag with this key.
    Flag(FlagKey),
    /// Every flag that has the tag when the kill is made, or gets it later.
    Tag(Tag),
    /// Every flag of the environment, including flags created later.
    All(AllFlags),
}

/// `true`: the only value that `{"all": …}` can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(try_from = "bool", into = "bool")]
pub struct AllFlags;

impl TryFrom<bool> for AllFlags {
    type Error = &'static str;

    fn try_from(all: bool) -> Result<Self, Self::Error> {
        if all {
            Ok(Self)
        } else {
            Err("\"all\" can only be true; to kill less, name a flag or a tag")
        }
    }
}

impl From<AllFlags> for bool {
    fn from(_: AllFlags) -> Self {
        true
    }
}

impl fmt::Display for KillScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(key) => write!(f, "flag {key}"),
            Self::Tag(tag) => write!(f, "tag {tag}"),
            Self::All(_) => f.write_str("all flags"),
        }
    }
}

/// A kill in force.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Kill {
    /// The kill's id.
    pub id: KillId,
    /// The scope that was requested.
    pub scope: KillScope,
    /// The reason; `None` until one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who made the kill.
    pub actor: Actor,
    /// When, by the clock of the node that took it.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// The flags that it covers until it is restored, even if they are untagged, deleted or created again. Empty
    /// for `all`, which covers every key.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub flags: BTreeSet<FlagKey>,
}

impl Kill {
    /// Whether it forces `key` to its safe variant.
    pub fn covers(&self, key: &str) -> bool {
        match &self.scope {
            KillScope::All(_) => true,
            KillScope::Flag(flag) => flag.as_str() == key,
            KillScope::Tag(_) => self.flags.contains(key),
        }
    }

    /// The flags among `flags` that it forces to their safe variant.
    pub fn covered(&self, flags: &Table<Flag>) -> Vec<FlagKey> {
        let there = |key: &FlagKey| flags.get(key.as_str()).is_some();
        match &self.scope {
            KillScope::All(_) => flags.iter().map(|entry| entry.key().clone()).collect(),
            KillScope::Flag(flag) => Some(flag.clone()).filter(there).into_iter().collect(),
            KillScope::Tag(_) => self.flags.iter().filter(|key| there(key)).cloned().collect(),
        }
    }
}

impl Entity for Kill {
    type Key = KillId;
    const KIND: &'static str = "kill";

    fn parse(json: &str) -> Result<Self, ValidationErrors> {
        serde_json::from_str(json).map_err(|error| ValidationErrors::one("", error.to_string()))
    }
}
