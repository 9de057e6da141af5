//! `/readyz` and the front page.

use std::collections::BTreeMap;

/// The response to `GET /readyz`: status 200 if the node is ready or degraded, else 503.
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
    /// Settings of the store that can lose acknowledged data, each with the fix.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// How ready a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReadyState {
    /// Loaded, not known to be behind, and as far as the last look at the store and the peers tells, all of it works.
    Ready,
    /// Flags are served and kills work; ordinary writes do not.
    Degraded,
    /// The node should not receive traffic.
    NotReady,
}

/// The state of a part, with its time and reason.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PartHealth {
    /// The state of the part.
    pub state: ReadyState,
    /// When it entered this state.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub since: jiff::Timestamp,
    /// What is wrong; absent if all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<HealthCode>,
    /// Why, in words; empty if all is well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// What is wrong with a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum HealthCode {
    /// The store cannot be reached.
    StoreUnreachable,
    /// The store refuses the password, or asks for one.
    StoreWrongPassword,
    /// The store has no database of that number.
    StoreNoDatabase,
    /// The store's user may not run the commands that Ripcord needs.
    StoreForbidden,
    /// The store is a read-only replica.
    StoreReadOnly,
    /// The store has reached its memory limit.
    StoreOutOfMemory,
    /// The store, or the data directory, cannot be written to its disk.
    StoreDisk,
    /// The store is loading its data.
    StoreLoading,
    /// The store has fewer replicas than it demands for a write.
    StoreTooFewReplicas,
    /// The store refuses writes for another reason.
    StoreRefusesWrites,
    /// The store lost its data, and nodes are filling it again.
    StoreReseeding,
    /// The node's own copy of the store cannot be written.
    MirrorUnwritable,
    /// Another node, or the store, has commits that this node lacks.
    Behind,
    /// A configured peer cannot be reached.
    PeerUnreachable,
    /// No environment is known yet, or one is not loaded yet.
    NotHydrated,
    /// The server is shutting down.
    ShuttingDown,
}

impl HealthCode {
    /// Every code.
    pub const ALL: [Self; 16] = [
        Self::StoreUnreachable,
        Self::StoreWrongPassword,
        Self::StoreNoDatabase,
        Self::StoreForbidden,
        Self::StoreReadOnly,
        Self::StoreOutOfMemory,
        Self::StoreDisk,
        Self::StoreLoading,
        Self::StoreTooFewReplicas,
        Self::StoreRefusesWrites,
        Self::StoreReseeding,
        Self::MirrorUnwritable,
        Self::Behind,
        Self::PeerUnreachable,
        Self::NotHydrated,
        Self::ShuttingDown,
    ];

    /// The code as it is sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StoreUnreachable => "store_unreachable",
            Self::StoreWrongPassword => "store_wrong_password",
            Self::StoreNoDatabase => "store_no_database",
            Self::StoreForbidden => "store_forbidden",
            Self::StoreReadOnly => "store_read_only",
            Self::StoreOutOfMemory => "store_out_of_memory",
            Self::StoreDisk => "store_disk",
            Self::StoreLoading => "store_loading",
            Self::StoreTooFewReplicas => "store_too_few_replicas",
            Self::StoreRefusesWrites => "store_refuses_writes",
            Self::StoreReseeding => "store_reseeding",
            Self::MirrorUnwritable => "mirror_unwritable",
            Self::Behind => "behind",
            Self::PeerUnreachable => "peer_unreachable",
            Self::NotHydrated => "not_hydrated",
            Self::ShuttingDown => "shutting_down",
        }
    }
}
