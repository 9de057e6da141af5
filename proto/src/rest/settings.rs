//! Bodies of `settings`, which apply to all flags of an environment.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Members;
use crate::limits;
use crate::reader::{Read, Reader};
use crate::revision::{Epoch, Revision};
use crate::settings::{Bucketing, Settings};

/// The response of `GET settings`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SettingsView {
    /// The epoch of the environment.
    pub epoch: Epoch,
    /// The revision of the environment.
    pub revision: Revision,
    /// The settings of the environment.
    pub settings: Settings,
    /// Whether the store could not be reached when they were read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

/// New settings: the body of `PUT settings`, and of `put_settings` in a commit.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SettingsRequest {
    /// The generation of the bucketing hash: `v2` or `v3`.
    pub bucketing: Bucketing,
    /// Attributes of every evaluation, in applications too. They replace what the caller gives by the same name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub context: Map<String, Value>,
    /// Headers of remote evaluations, and the attributes that they set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context_from_headers: BTreeMap<String, String>,
    /// Acknowledges the effect of a different generation; it must be `true` to change the generation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reassign_users: bool,
    /// The reason, recorded in the audit log. Not used in a commit, which has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl SettingsRequest {
    /// The requested settings.
    pub fn settings(&self) -> Settings {
        Settings {
            bucketing: self.bucketing,
            context: self.context.clone(),
            context_from_headers: self.context_from_headers.clone(),
        }
    }
}

/// The earlier name of `reassign_users`, which is still read.
const FORMERLY_REASSIGN_USERS: &str = "rebuckets_everybody";

impl Members for SettingsRequest {
    const WHAT: &'static str = "the settings";
    const KNOWN: &'static [&'static str] = &[
        "bucketing",
        "context",
        "context_from_headers",
        "reassign_users",
        FORMERLY_REASSIGN_USERS,
        "reason",
    ];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let bucketing = reader.required(map, "bucketing", "\"v2\" or \"v3\"", |reader, value| match reader.text(value)? {
            "v2" => Ok(Bucketing::V2),
            "v3" => Ok(Bucketing::V3),
            other => reader.refuse(format!("{other:?} is not a bucketing generation; use \"v2\" or \"v3\"")),
        });
        let context = reader.optional(map, "context", context).unwrap_or_default();
        let context_from_headers = reader.optional(map, "context_from_headers", |reader, value| headers(reader, value, &context));
        let reassign_users = [FORMERLY_REASSIGN_USERS, "reassign_users"].map(|name| reader.optional(map, name, Reader::boolean).unwrap_or_default());
        let reason = super::reason(reader, map);
        Ok(Self {
            bucketing: bucketing?,
            context_from_headers: context_from_headers.unwrap_or_default(),
            context,
            reassign_users: reassign_users.contains(&true),
            reason,
        })
    }
}

/// The attribute that rules read flagd's own values from.
const RESERVED: &str = "$flagd";

fn context(reader: &mut Reader, value: &Value) -> Read<Map<String, Value>> {
    let members = reader.object(value)?;
    if members.len() > limits::CONTEXT_VALUES {
        return reader.refuse(format!("has {} attributes; at most {} are possible", members.len(), limits::CONTEXT_VALUES));
    }
    reader.size(value, limits::CONTEXT_BYTES, "")?;
    for (name, value) in members {
        reader.within(name, |reader| {
            attribute(reader, name)?;
            reader.any(value, limits::JSON_DEPTH)
        })?;
    }
    Ok(members.clone())
}

fn headers(reader: &mut Reader, value: &Value, context: &Map<String, Value>) -> Read<BTreeMap<String, String>> {
    let members = reader.object(value)?;
    if members.len() > limits::CONTEXT_VALUES {
        return reader.refuse(format!("has {} headers; at most {} are possible", members.len(), limits::CONTEXT_VALUES));
    }
    let mut named = BTreeMap::new();
    for (header, value) in members {
        let attribute = reader.within(header, |reader| {
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if header.is_empty() || !header.bytes().all(is_token) {
                return reader.refuse("is not the name of a header");
            }
            if ["authorization", "x-api-key", "cookie"].contains(&header.to_lowercase().as_str()) {
                return reader.refuse("is a secret of the caller, which rules must not see");
            }
            let name = reader.text(value)?;
            attribute(reader, name)?;
            if context.contains_key(name) {
                return reader.refuse(format!("{name:?} is set by `context` already"));
            }
            Ok(name.to_owned())
        })?;
        named.insert(header.to_lowercase(), attribute);
    }
    Ok(named)
}

fn attribute(reader: &mut Reader, name: &str) -> Read<()> {
    if name.is_empty() || name == RESERVED || name.chars().count() > limits::NAME_CHARACTERS {
        return reader.refuse(format!("{name:?} cannot be the name of an attribute"));
    }
    Ok(())
}
