//! Settings of an environment that apply to all of its flags.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The input of the bucketing hash, as in the generations of flagd's `fractional`. Changing it re-buckets all users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Bucketing {
    /// The UTF-8 bytes of the bucketing text.
    V2,
    /// The bucketing text as CBOR: its length prefix, then its UTF-8 bytes. The default.
    #[default]
    V3,
}

/// Settings that affect evaluations and are therefore part of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Settings {
    /// The generation of the bucketing hash: `v2` or `v3`.
    #[serde(default)]
    pub bucketing: Bucketing,
    /// Attributes of every evaluation, in applications too. They replace what the caller gives by the same name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub context: Map<String, Value>,
    /// Headers of remote evaluations, and the attributes that they set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context_from_headers: BTreeMap<String, String>,
}

impl Settings {
    /// The attributes that `header` sets by its values.
    pub fn attributes_from<'s, 'h>(&'s self, header: impl Fn(&str) -> Option<&'h str>) -> impl Iterator<Item = (&'s str, &'h str)> {
        let named = self.context_from_headers.iter();
        named.filter_map(move |(name, attribute)| Some((attribute.as_str(), header(name)?)))
    }
}
