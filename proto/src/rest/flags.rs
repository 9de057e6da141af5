//! `flags` and `flags/{key}`.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Members;
use crate::key::FlagKey;
use crate::kill::KillId;
use crate::reader::{Read, Reader};
use crate::revision::{Epoch, Revision};

/// A flag with its kills: `GET flags/{key}`, and an item of `GET flags`.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlagView {
    /// The key of the flag.
    pub key: FlagKey,
    /// The epoch of its last change.
    pub epoch: Epoch,
    /// The revision of its last change; together with the epoch its ETag.
    pub revision: Revision,
    /// The flag as it was written.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::Flag))]
    pub flag: Box<RawValue>,
    /// The kills that cover it, including provisional ones.
    pub kills: Vec<FlagKill>,
    /// Whether the store could not be reached when this was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

/// A summary of a kill that covers a flag.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlagKill {
    /// The kill's id.
    pub id: KillId,
    /// The reason; absent until one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it is in force but not in the log yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
}

/// The body of `PATCH flags/{key}`, which switches a flag on or off and changes nothing else.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlagPatch {
    /// Whether the flag is on; if it is off, callers get their own default.
    pub enabled: bool,
    /// The reason for the change, recorded in the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Members for FlagPatch {
    const WHAT: &'static str = "this request";
    const KNOWN: &'static [&'static str] = &["enabled", "reason"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let enabled = reader.required(map, "enabled", "true or false", Reader::boolean);
        let reason = super::reason(reader, map);
        Ok(Self { enabled: enabled?, reason })
    }
}
