//! Flag → JSON. Required members are always written; optional members are omitted if they are empty.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::flag::Flag;

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(description) = &self.description {
            map.serialize_entry("description", description)?;
        }
        if let Some(owner) = &self.owner {
            map.serialize_entry("owner", owner)?;
        }
        if !self.tags.is_empty() {
            map.serialize_entry("tags", &self.tags)?;
        }
        map.serialize_entry("enabled", &self.enabled)?;
        map.serialize_entry("variants", &self.variants)?;
        map.serialize_entry("default", &self.default)?;
        map.serialize_entry("safe", &self.safe)?;
        if !self.rules.is_empty() {
            map.serialize_entry("rules", &self.rules)?;
        }
        if !self.requires.is_empty() {
            map.serialize_entry("requires", &self.requires)?;
        }
        if let Some(lease) = &self.lease {
            map.serialize_entry("lease", lease)?;
        }
        if let Some(one_way) = &self.one_way {
            map.serialize_entry("one_way", one_way)?;
        }
        if !self.checks.is_empty() {
            map.serialize_entry("checks", &self.checks)?;
        }
        if self.client {
            map.serialize_entry("client", &true)?;
        }
        if self.flagd_without_lease {
            map.serialize_entry("flagd_without_lease", &true)?;
        }
        if !self.metadata.is_empty() {
            map.serialize_entry("metadata", &self.metadata)?;
        }
        if let Some(expires_at) = &self.expires_at {
            map.serialize_entry("expires_at", expires_at)?;
        }
        map.end()
    }
}
