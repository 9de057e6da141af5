//! Settings of an environment that apply to all of its flags.

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Settings {
    /// The generation of the bucketing hash: `v2` or `v3`.
    #[serde(default)]
    pub bucketing: Bucketing,
}
