//! Actors: who did something, and from where.

use crate::role::Role;

/// The holder of a key, as the audit log names it. It contains no secret.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Actor {
    /// The name of the key, or the name that the caller gave (`X-Ripcord-Actor`, shown as `name (via key)`).
    pub name: String,
    /// The role of the key.
    pub role: Role,
    /// The key's id; absent for the admin key of the environment variable and for the server itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Actor {
    /// The name that the caller gave, if any: `anna` of `anna (via release)`.
    pub fn given_name(&self) -> Option<&str> {
        self.name
            .rsplit_once(" (via ")
            .filter(|(_, key)| key.ends_with(')'))
            .map(|(name, _)| name.trim())
    }

    /// The server itself, for example when it merges kills or re-seeds the store.
    pub fn server(node: &str) -> Self {
        Self {
            name: format!("node {node}"),
            role: Role::Admin,
            key: None,
        }
    }

    /// A trigger that acts automatically, with the role `oncall`.
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
    /// The node that received the request.
    pub node: String,
    /// The caller's address, if there was a caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The id of the request, which its response and its log lines contain too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// A decision of a person or key: an approval, an answer, a withdrawal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attribution {
    /// The person or key that decided.
    pub by: Actor,
    /// The time, by the clock of the node that received the decision.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// The reason, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
