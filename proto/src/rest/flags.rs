//! `flags` and `flags/{key}`.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Members;
use crate::key::FlagKey;
use crate::kill::KillId;
use crate::reader::{Read, Reader};
use crate::revision::{Epoch, Revision};

/// A flag and what lies over it: `GET flags/{key}`, and an item of `GET flags`.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlagView {
    /// The key of the flag.
    pub key: FlagKey,
    /// The epoch of its last change.
    pub epoch: Epoch,
    /// The revision of its last change; with the epoch its ETag.
    pub revision: Revision,
    /// The flag as it was put.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::Flag))]
    pub flag: Box<RawValue>,
    /// The kills that cover it, provisional ones among them.
    pub kills: Vec<FlagKill>,
    /// Whether it was read while the store could not be reached.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

/// A kill that covers a flag, in short.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlagKill {
    /// The kill's id.
    pub id: KillId,
    /// The reason; absent until one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it is in force without being in the log yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
}

/// `PATCH flags/{key}`: switches a flag on or off and leaves the rest of it as it is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlagPatch {
    /// Off serves the caller's own default.
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
