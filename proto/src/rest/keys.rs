//! Bodies of `/v1/keys`.

use serde_json::{Map, Value};

use super::Members;
use crate::key::EnvironmentKey;
use crate::limits;
use crate::reader::{Read, Reader};
use crate::revision::{Epoch, Revision};
use crate::role::Role;
use crate::visible::check_name;

/// The body of `POST /v1/keys`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyRequest {
    /// The role, which determines what the key may do.
    pub role: Role,
    /// The environments in which it is valid; empty for an admin key, which is valid in all. `"environment": NAME` names a single one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<EnvironmentKey>,
    /// The name of the key, under which the audit log lists its holder.
    pub name: String,
    /// The reason for the change, recorded in the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The response to `POST /v1/keys`, the only one that contains the key.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyCreated {
    /// The key's id, which is not secret.
    pub id: String,
    /// The key; absent in the response to a repeated request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The epoch of the `system` log.
    pub epoch: Epoch,
    /// Always `null`: keys are records.
    pub revision: Option<Revision>,
}

/// A key without its secret, as an item of `GET /v1/keys`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyView {
    /// The key's id.
    pub id: String,
    /// The name of the key.
    pub name: String,
    /// The role, which determines what the key may do.
    pub role: Role,
    /// The environments in which it is valid; empty = all.
    #[serde(default)]
    pub environments: Vec<EnvironmentKey>,
    /// When it was created.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created: jiff::Timestamp,
}

impl Members for KeyRequest {
    const WHAT: &'static str = "a key";
    const KNOWN: &'static [&'static str] = &["role", "environment", "environments", "name", "reason"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let role = reader.required(map, "role", "a role", |reader, value| {
            let text = reader.text(value)?;
            text.parse::<Role>()
                .or_else(|faults| reader.refuse(faults.into_iter().map(|fault| fault.problem).collect::<String>()))
        });
        let one = reader.optional(map, "environment", Reader::parsed::<EnvironmentKey>);
        let many = reader.optional(map, "environments", |reader, value| {
            reader.items(value, limits::KEY_ENVIRONMENTS, Reader::parsed)
        });
        let name = reader.required(map, "name", "what the key is called", name);
        let reason = super::reason(reader, map);
        let (role, name) = (role?, name?);
        let mut environments: Vec<EnvironmentKey> = many.unwrap_or_default();
        environments.extend(one);
        environments.sort();
        environments.dedup();
        if environments.is_empty() && role != Role::Admin {
            return reader.within("environments", |reader| {
                reader.refuse(format!("is empty; a key of role {role} must name its environments"))
            });
        }
        if !environments.is_empty() && role == Role::Admin {
            return reader.within("environments", |reader| {
                reader.refuse("must be left out: an admin key is for every environment")
            });
        }
        Ok(Self {
            role,
            environments,
            name,
            reason,
        })
    }
}

fn name(reader: &mut Reader, value: &Value) -> Read<String> {
    let text = reader.text(value)?.trim();
    match check_name(text, limits::KEY_CHARACTERS) {
        Ok(()) => Ok(text.to_owned()),
        Err(problem) => reader.refuse(problem),
    }
}
