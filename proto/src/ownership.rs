//! Claims: which file set owns a flag or a segment, and the definition in its file when it was last applied.
//!
//! Each owned entry has a claim of its own, so that it has at most one owner, and a commit that changes one flag
//! of a large set writes one claim. The definition in the file is kept: if the file has not changed but the flag differs,
//! someone changed the flag by hand, and applying the file keeps that change.

use std::borrow::Borrow;
use std::fmt;

use serde_json::value::RawValue;

use crate::key::{FlagKey, SegmentKey, SetName};
use crate::table::Entity;
use crate::validation::ValidationErrors;

/// A file set's claim on a flag or a segment.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ownership {
    /// The set that owns the entry.
    pub set: SetName,
    /// The definition in the set's file when it was last applied.
    pub said: Box<RawValue>,
}

/// The subject of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnedEntry {
    /// The flag with this key.
    Flag(FlagKey),
    /// The segment with this key.
    Segment(SegmentKey),
}

/// The key of a claim: `flag/checkout-v2`, `segment/beta`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnershipKey(String);

impl OwnershipKey {
    /// The claim on a flag.
    pub fn flag(key: &FlagKey) -> Self {
        Self(format!("flag/{key}"))
    }

    /// The claim on a segment.
    pub fn segment(key: &SegmentKey) -> Self {
        Self(format!("segment/{key}"))
    }

    /// The subject of the claim.
    pub fn claimed(&self) -> Result<OwnedEntry, ValidationErrors> {
        if let Some(key) = self.0.strip_prefix("flag/") {
            return key.parse().map(OwnedEntry::Flag);
        }
        if let Some(key) = self.0.strip_prefix("segment/") {
            return key.parse().map(OwnedEntry::Segment);
        }
        let problem = format!("{:?} is not something that a set can own; write it as flag/KEY or segment/KEY", self.0);
        Err(ValidationErrors::one("", problem))
    }
}

impl std::str::FromStr for OwnershipKey {
    type Err = ValidationErrors;

    fn from_str(text: &str) -> Result<Self, ValidationErrors> {
        let key = Self(text.to_owned());
        key.claimed().map(|_| key)
    }
}

impl Borrow<str> for OwnershipKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OwnershipKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Entity for Ownership {
    type Key = OwnershipKey;
    const KIND: &'static str = "claim";

    fn parse(json: &str) -> Result<Self, ValidationErrors> {
        serde_json::from_str(json).map_err(|error| ValidationErrors::one("", error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_says_what_it_is_on_whatever_its_key_is_made_of() {
        let key = OwnershipKey::flag(&FlagKey::new("segment/a/b").unwrap());
        assert_eq!(key.to_string(), "flag/segment/a/b");
        assert_eq!(
            key.to_string().parse::<OwnershipKey>().unwrap().claimed().unwrap(),
            OwnedEntry::Flag(FlagKey::new("segment/a/b").unwrap())
        );
        assert!("checkout".parse::<OwnershipKey>().is_err());
        assert!("flag/".parse::<OwnershipKey>().is_err());
    }

    #[test]
    fn a_claim_reads_back_what_it_writes() {
        let text = r#"{"set":"payments","said":{"variants":{"on":true},"default":"on","safe":null}}"#;
        let claim = Ownership::parse(text).unwrap();
        assert_eq!(serde_json::to_string(&claim).unwrap(), text);
    }
}
