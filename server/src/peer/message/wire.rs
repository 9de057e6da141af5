//! A peer's message as it is written. `node` and `overlays` are all that the first version has, so they stay as they are; everything
//! else may be absent, and members that are unknown here are skipped.

use std::collections::BTreeSet;

use ripcord_proto::digest::Digest;
use ripcord_proto::frame::Overlay;
use ripcord_proto::{EnvironmentKey, Kill, KillId};

use crate::store::Head;

#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct WireSync {
    pub(super) node: String,
    #[serde(default)]
    pub(super) overlays: Vec<(EnvironmentKey, Overlay)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) history: Option<Digest>,
    #[serde(default)]
    pub(super) store_current: bool,
    #[serde(default)]
    pub(super) anchored: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) system: Option<Head>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) revoked: Vec<String>,
    #[serde(default)]
    pub(super) environments: Vec<WireLog>,
}

/// What the first version does not tell of an environment.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct WireLog {
    pub(super) environment: EnvironmentKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) head: Option<Head>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) committed: Option<Vec<Kill>>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) ended: BTreeSet<KillId>,
}
