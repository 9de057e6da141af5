//! `kills` and `kills/{id}`.

use serde_json::{Map, Value};

use super::Members;
use crate::confirmation::Confirmation;
use crate::key::{FlagKey, VariantName};
use crate::kill::{AllFlags, Kill, KillId, KillScope};
use crate::limits;
use crate::reader::{Read, Reader};
use crate::revision::{Epoch, Revision};
use crate::rollout::RolloutId;
use crate::text::grouped_len;
use crate::visible::one_line;

/// The body of `POST kills`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KillRequest {
    /// The flags to kill.
    pub scope: KillScope,
    /// The reason, recorded in the audit log; it can be added later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Kills a tag although no flag has it: flags that get it later are killed then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub future: bool,
    /// What is wrong with the words beside the scope. A kill is never refused for them; its answer has them as warnings.
    #[serde(skip)]
    pub ignored: Vec<String>,
}

/// `DELETE kills/{id}` and `PATCH kills/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReasonRequest {
    /// The reason, recorded in the audit log.
    pub reason: String,
}

/// The response to `POST kills`: status 201, or 200 if the scope was already killed.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KillResponse {
    /// The kill's id.
    pub id: KillId,
    /// The epoch of the revision; revisions of different epochs cannot be compared.
    pub epoch: Epoch,
    /// The revision of the kill; `null` while it is provisional.
    pub revision: Option<Revision>,
    /// Whether it is in force but not in the log yet, because the store is unavailable. It is written to the log when the store returns.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
    /// Whether a restart of the node would lose it, because the node's disk cannot be written either.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost_on_restart: bool,
    /// The flags that it covers.
    pub scope: KillScope,
    /// The reason; absent until one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the reason is missing; `PATCH kills/{id}` adds one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reason_missing: bool,
    /// The flags that it covers now and what each serves; at most the first 1,000.
    pub flags: Vec<ServedFlag>,
    /// How many flags it covers now.
    pub flags_total: usize,
    /// Live rollouts of these flags, which the kill ends. A warning tells of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<RolloutId>,
    /// Warnings: things to know although the request succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Confirmations, as of the end of `?wait=`, or as of now.
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

/// Maximum number of flags that a response names.
pub const NAMED_FLAGS: usize = 1_000;

/// The response to `DELETE kills/{id}`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RestoreResponse {
    /// The kill that was lifted.
    pub id: KillId,
    /// The epoch of the revision; revisions of different epochs cannot be compared.
    pub epoch: Epoch,
    /// The revision that lifted it; `null` if a provisional kill was withdrawn, or if the restore itself is provisional.
    pub revision: Option<Revision>,
    /// Whether the kill was not in the log yet and was withdrawn by the node that took it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
    /// What the kill covered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<KillScope>,
    /// Flags that it covered and that no kill covers now; at most the first 1,000.
    #[serde(default)]
    pub restored: Vec<FlagKey>,
    /// Flags that it covered and that other kills still cover; at most the first 1,000.
    #[serde(default)]
    pub still_killed: Vec<FlagKey>,
    /// Nodes that have learned of a withdrawal; absent if it was committed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes_told: Vec<String>,
    /// Addresses of nodes that could not be told of a withdrawal: the kill stays in force there until they learn of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes_not_reached: Vec<String>,
    /// Warnings: things to know although the request succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Confirmations, as of the end of `?wait=`, or as of now. Absent for a withdrawal: applications are not asked whether they have it.
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
    /// Whether it is in force but not in the log yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
    /// Whether the reason is missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reason_missing: bool,
    /// The flags that it covers now and what each serves; at most the first 1,000.
    pub serves: Vec<ServedFlag>,
    /// How many flags it covers now.
    pub serves_total: usize,
}

pub(super) const SCOPE: &str = "{\"flag\": key}, {\"tag\": tag} or {\"all\": true}";

/// Reads the scope of a kill.
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
    const KNOWN: &'static [&'static str] = &["scope", "reason", "future"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let scope = reader.required(map, "scope", SCOPE, scope);
        let mut ignored = unknown(map, Self::KNOWN);
        let reason = match map.get("reason") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => kill_reason(text, &mut ignored),
            Some(_) => {
                ignored.push("The reason is not a string and was ignored.".to_owned());
                None
            }
        };
        let future = future(map, &mut ignored);
        Ok(Self {
            scope: scope?,
            reason,
            future,
            ignored,
        })
    }

    // Without the check for unknown members.
    fn read_object(reader: &mut Reader, value: &Value) -> Read<Self> {
        let map = reader.object(value)?;
        Self::read(reader, map)
    }
}

/// What is said of the members that a kill does not know: they are ignored.
pub(super) fn unknown(map: &Map<String, Value>, known: &[&str]) -> Vec<String> {
    let unknown = map.keys().filter(|name| !known.contains(&name.as_str()));
    unknown.map(|name| format!("Member {name:?} is unknown and was ignored.")).collect()
}

/// Whether a kill is meant for later too; a malformed member counts as missing, which `ignored` then tells.
pub(super) fn future(map: &Map<String, Value>, ignored: &mut Vec<String>) -> bool {
    match map.get("future") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(future)) => *future,
        Some(_) => {
            ignored.push("The member future is neither true nor false and was ignored.".to_owned());
            false
        }
    }
}

/// The reason of a kill: a blank one counts as missing, and one that is too long is cut, which `ignored` then tells.
pub fn kill_reason(text: &str, ignored: &mut Vec<String>) -> Option<String> {
    let text = one_line(text);
    match text.char_indices().nth(limits::TEXT_CHARACTERS) {
        Some((end, _)) => {
            ignored.push(format!("The reason was cut after {} characters.", grouped_len(limits::TEXT_CHARACTERS)));
            text.get(..end).map(ToOwned::to_owned)
        }
        None => Some(text).filter(|text| !text.is_empty()),
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
