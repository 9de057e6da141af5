//! `kills` and `kills/{id}`.

use serde_json::{Map, Value};

use super::Members;
use crate::confirmation::Confirmation;
use crate::key::{FlagKey, VariantName};
use crate::kill::{AllFlags, Kill, KillId, KillScope};
use crate::reader::{Read, Reader};
use crate::revision::{Epoch, Revision};

/// The body of `POST kills`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KillRequest {
    /// The flags that are to serve their safe variant.
    pub scope: KillScope,
    /// Why; may be said afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `DELETE kills/{id}` and `PATCH kills/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReasonRequest {
    /// The reason, recorded in the audit log.
    pub reason: String,
}

/// The answer to `POST kills`: 201, or 200 where the scope was killed already.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KillResponse {
    /// The kill's id.
    pub id: KillId,
    /// The epoch of the revision; revisions of different epochs cannot be compared.
    pub epoch: Epoch,
    /// The revision that it made; `null` while it is provisional.
    pub revision: Option<Revision>,
    /// Whether it is in force without being in the log yet; it is merged when the store is back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
    /// Whether it would be lost by a restart of the node, its journal being unwritable too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost_on_restart: bool,
    /// The flags that it covers.
    pub scope: KillScope,
    /// The reason; absent until one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether no reason was given yet; `PATCH kills/{id}` adds one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reason_missing: bool,
    /// The flags that it covers now and what each serves; at most the first 1,000.
    pub flags: Vec<ServedFlag>,
    /// How many flags it covers now.
    pub flags_total: usize,
    /// What the caller should know although all went well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Who has confirmed it: after the time of `?wait=`, or else at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
}

/// A killed flag and what it serves.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServedFlag {
    /// The key of the flag.
    pub flag: FlagKey,
    /// The variant; `null` = the caller's own default.
    pub serves: Option<VariantName>,
}

/// Flags that an answer names, at most.
pub const NAMED_FLAGS: usize = 1_000;

/// The answer to `DELETE kills/{id}`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RestoreResponse {
    /// The kill that was lifted.
    pub id: KillId,
    /// The epoch of the revision; revisions of different epochs cannot be compared.
    pub epoch: Epoch,
    /// The revision that lifted it; `null` where a provisional kill was withdrawn, or the restore itself is provisional.
    pub revision: Option<Revision>,
    /// Whether a kill that was not in the log yet was withdrawn by the node that had taken it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
    /// Flags that it covered and that other kills still cover; at most the first 1,000.
    #[serde(default)]
    pub still_killed: Vec<FlagKey>,
    /// Who has confirmed it: after the time of `?wait=`, or else at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
}

/// A kill in force: `GET kills/{id}`, and an item of `GET kills`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KillView {
    /// The kill itself.
    #[serde(flatten)]
    pub kill: Kill,
    /// The epoch of its last change.
    pub epoch: Epoch,
    /// The revision of its last change; `null` while it is provisional.
    pub revision: Option<Revision>,
    /// Whether it is in force without being in the log yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
    /// Whether no reason was given yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reason_missing: bool,
    /// The flags that it covers now and what each serves; at most the first 1,000.
    pub serves: Vec<ServedFlag>,
    /// How many flags it covers now.
    pub serves_total: usize,
}

pub(super) const SCOPE: &str = "{\"flag\": key}, {\"tag\": tag} or {\"all\": true}";

/// Reads a scope.
pub(super) fn scope(reader: &mut Reader, value: &Value) -> Read<KillScope> {
    const NAMES: [&str; 3] = ["flag", "tag", "all"];
    let map = reader.object(value)?;
    reader.members(map, "a scope", &NAMES, &[]);
    let named: Vec<_> = NAMES.iter().filter(|name| map.contains_key(**name)).collect();
    if named.len() != 1 {
        return reader.refuse(format!("must name one thing: {SCOPE}"));
    }
    let flag = reader.optional(map, "flag", Reader::parsed).map(KillScope::Flag);
    let tag = reader.optional(map, "tag", Reader::parsed).map(KillScope::Tag);
    let all = reader.optional(map, "all", |reader, value| {
        let all = reader.boolean(value)?;
        AllFlags::try_from(all).map(KillScope::All).or_else(|problem| reader.refuse(problem))
    });
    flag.or(tag).or(all).map_or_else(|| reader.refuse(format!("must be {SCOPE}")), Ok)
}

impl Members for KillRequest {
    const WHAT: &'static str = "a kill";
    const KNOWN: &'static [&'static str] = &["scope", "reason"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let scope = reader.required(map, "scope", SCOPE, scope);
        let reason = super::reason(reader, map);
        Ok(Self { scope: scope?, reason })
    }
}

impl Members for ReasonRequest {
    const WHAT: &'static str = "this request";
    const KNOWN: &'static [&'static str] = &["reason"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        match super::reason(reader, map) {
            Some(reason) => Ok(Self { reason }),
            None => reader.within("reason", |reader| reader.refuse("is missing; give a reason")),
        }
    }
}
