//! Actors: who did something, and from where.

use crate::role::Role;

/// The holder of a key, as the log names it. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Actor {
    /// The name of the key, or the one that the caller gave (`X-Ripcord-Actor`, shown as `name (via key)`).
    pub name: String,
    /// What the key may do.
    pub role: Role,
    /// The key's id; absent for the admin key of the environment variable and for the server itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Actor {
    /// The name that callers gave for themselves, if any: `anna` of `anna (via release)`.
    pub fn given_name(&self) -> Option<&str> {
        self.name
            .rsplit_once(" (via ")
            .filter(|(_, key)| key.ends_with(')'))
            .map(|(name, _)| name.trim())
    }

    /// The server itself: merges, re-seeds.
    pub fn server(node: &str) -> Self {
        Self {
            name: format!("node {node}"),
            role: Role::Admin,
            key: None,
        }
    }

    /// A trigger that acts by itself. It may what those on call may.
    pub fn trigger(name: &crate::key::TriggerName) -> Self {
        Self {
            name: format!("trigger {name}"),
            role: Role::Oncall,
            key: None,
        }
    }
}

/// From where a change came.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Origin {
    /// The node that took it.
    pub node: String,
    /// The caller's address, where there was a caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The request's id, which its answer and its log lines carry too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// Who decided something, when and why: an approval, an answer, a withdrawal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attribution {
    /// The person or key that decided.
    pub by: Actor,
    /// When, by the clock of the node that took the decision.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// The reason, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
