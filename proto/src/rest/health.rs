//! `/readyz` and the front page.

use std::collections::BTreeMap;

/// `GET /readyz`: 200 where it is ready (also degraded), 503 where not.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Readiness {
    /// The state of the node as a whole.
    pub status: ReadyState,
    /// The name of the node.
    pub node: String,
    /// The server's version.
    pub version: String,
    /// The state of each part, by name.
    pub parts: BTreeMap<String, PartHealth>,
    /// Settings of the store that can lose acknowledged data, each with the way out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// How ready a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReadyState {
    /// Everything works.
    Ready,
    /// Flags are served and kills work; ordinary writes do not.
    Degraded,
    /// The node should not get traffic.
    NotReady,
}

/// A part's state, since when, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PartHealth {
    /// The state of the part.
    pub state: ReadyState,
    /// When it entered this state.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub since: jiff::Timestamp,
    /// Why, in words; empty when all is well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}
