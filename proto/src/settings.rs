//! What an environment fixes for all of its flags.

/// What the bucketing hash is fed with (DESIGN 5; flagd's `fractional`). Changing it re-buckets all users.
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

/// Settings of an environment that decide what its flags answer, and so are part of the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Settings {
    /// The generation of the bucketing hash: `v2` or `v3`.
    #[serde(default)]
    pub bucketing: Bucketing,
}
