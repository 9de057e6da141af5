//! `releases` and `releases/{name}`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Members;
use super::log::ChangedBy;
use super::plan::SegmentDiff;
use crate::check::Check;
use crate::key::{FlagKey, ReleaseName, SegmentKey};
use crate::limits;
use crate::reader::{self, Read, Reader};
use crate::release::{Release, ReleaseDetails};
use crate::revision::Revision;
use crate::validation::{ValidationError, ValidationErrors};

const REQUEST: [&str; 13] = [
    "name",
    "flags",
    "tags",
    "artifact",
    "commit",
    "image",
    "success",
    "failure",
    "window_seconds",
    "data",
    "owners",
    "checks",
    "reason",
];
/// The members of a release that can be changed: all except its name.
const DETAILS: &[&str] = REQUEST.split_at(1).1;

/// The body of `POST releases`, which begins a release and creates the checkpoint before it, in one commit.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleaseRequest {
    /// The release's name.
    pub name: ReleaseName,
    /// The details of the release.
    #[serde(flatten)]
    pub details: ReleaseDetails,
    /// The reason, added to the default reason of the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The body of `PATCH releases/{name}`. A member replaces the current value, `null` removes it; `data` and `owners` are changed
/// entry by entry.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct ReleasePatch {
    /// The members that change, each valid on its own.
    #[serde(flatten)]
    members: Map<String, Value>,
    /// The reason, added to the default reason of the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A release: an item of `GET releases`, and the answer to what changes one.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleaseView {
    /// `null`: releases are records, and make no revision.
    pub revision: Option<Revision>,
    /// The release itself.
    #[serde(flatten)]
    pub release: Release,
    /// The rollback window, if the release states one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<RollbackWindow>,
    /// Details that are missing and that a protected environment requires before exposure is raised.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<ValidationError>,
}

/// The time within which a release can be rolled back as planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RollbackWindow {
    /// When the window ends.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub ends: jiff::Timestamp,
    /// Seconds that are left; 0 = the window is over.
    pub remaining_seconds: u64,
}

/// The response to `GET releases/{name}`: a release, and its changes against its baseline.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleaseDetail {
    /// The release and its figures.
    #[serde(flatten)]
    pub view: ReleaseView,
    /// Its changes: the state at the baseline, and the current state.
    pub diff: ReleaseDiff,
}

/// The changes of a release.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleaseDiff {
    /// Flags that it changed and that still differ from the baseline.
    pub flags: Vec<ReleasedFlag>,
    /// Segments that it changed and that still differ from the baseline.
    pub segments: Vec<SegmentDiff>,
    /// Flags that it changed and that match the baseline again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back: Vec<FlagKey>,
    /// Commits of others that changed the same flags since the baseline.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub foreign_flags: BTreeMap<FlagKey, Vec<ChangedBy>>,
    /// Commits of others that changed the same segments since the baseline.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub foreign_segments: BTreeMap<SegmentKey, Vec<ChangedBy>>,
    /// The release's own commits, oldest first; at most the last 100.
    pub commits: Vec<ChangedBy>,
}

/// A flag that a release changed.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleasedFlag {
    /// The key of the flag.
    pub key: FlagKey,
    /// The flag at the baseline; absent if it did not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::Flag>))]
    pub from: Option<Box<RawValue>>,
    /// The flag now; absent if it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::Flag>))]
    pub to: Option<Box<RawValue>>,
    /// What it served at the baseline, and to which users, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// What it serves now, and to which users, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<String>,
    /// The differences, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
}

impl Members for ReleaseRequest {
    const WHAT: &'static str = "a release";
    const KNOWN: &'static [&'static str] = &REQUEST;

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let name = reader.required(map, "name", "a name such as \"web-2026.11.24\"", Reader::parsed);
        let details = details(reader, map);
        let reason = super::reason(reader, map);
        Ok(Self { name: name?, details, reason })
    }
}

impl Members for ReleasePatch {
    const WHAT: &'static str = "a release";
    const KNOWN: &'static [&'static str] = DETAILS;

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let reason = super::reason(reader, map);
        let mut members = map.clone();
        members.remove("reason");
        // Removing a member is valid, whatever the member was.
        details(reader, &without_nulls(&members));
        Ok(Self { members, reason })
    }
}

impl ReleasePatch {
    /// A patch of these members.
    pub fn new(members: Map<String, Value>, reason: Option<String>) -> Result<Self, ValidationErrors> {
        reader::read(&Value::Object(members), Self::read_object).map(|patch| Self { reason, ..patch })
    }

    /// `details` with this patch applied.
    pub fn apply(&self, details: &ReleaseDetails) -> Result<ReleaseDetails, ValidationErrors> {
        let mut merged = match serde_json::to_value(details) {
            Ok(Value::Object(merged)) => merged,
            Ok(_) | Err(_) => Map::new(),
        };
        for (name, value) in &self.members {
            merge(&mut merged, name, value);
        }
        reader::read(&Value::Object(merged), |reader, value| {
            let map = reader.object(value)?;
            Ok(self::details(reader, map))
        })
    }
}

/// A JSON merge patch (RFC 7396), as deep as the members of a release are nested.
fn merge(into: &mut Map<String, Value>, name: &str, value: &Value) {
    match (into.get_mut(name), value) {
        (_, Value::Null) => drop(into.shift_remove(name)),
        (Some(Value::Object(present)), Value::Object(changed)) => {
            for (name, value) in changed {
                merge(present, name, value);
            }
        }
        (_, Value::Object(changed)) => drop(into.insert(name.to_owned(), Value::Object(without_nulls(changed)))),
        (_, value) => drop(into.insert(name.to_owned(), value.clone())),
    }
}

fn without_nulls(map: &Map<String, Value>) -> Map<String, Value> {
    let members = map.iter().filter(|(_, value)| !value.is_null());
    let members = members.map(|(name, value)| {
        let value = value.as_object().map_or_else(|| value.clone(), |inner| Value::Object(without_nulls(inner)));
        (name.clone(), value)
    });
    members.collect()
}

/// Reads the details of a release. Invalid members are noted and left out.
fn details(reader: &mut Reader, map: &Map<String, Value>) -> ReleaseDetails {
    let artifact = reader.optional(map, "artifact", something);
    let commit = reader.optional(map, "commit", something);
    let image = reader.optional(map, "image", something);
    ReleaseDetails {
        flags: set(reader, map, "flags"),
        tags: set(reader, map, "tags"),
        artifact,
        commit,
        image,
        success: texts(reader, map, "success"),
        failure: texts(reader, map, "failure"),
        window_seconds: reader.optional(map, "window_seconds", |reader, value| {
            super::seconds(reader, value, 1, limits::WINDOW_SECONDS_MAX)
        }),
        data: by_name(reader, map, "data", str::parse),
        owners: by_name(reader, map, "owners", owner_role),
        checks: reader.optional(map, "checks", Check::read_all).unwrap_or_default(),
    }
}

fn set<K: Ord + std::str::FromStr<Err = ValidationErrors>>(reader: &mut Reader, map: &Map<String, Value>, name: &str) -> BTreeSet<K> {
    let items = reader.optional(map, name, |reader, value| reader.items(value, limits::RELEASE_FLAGS, Reader::parsed));
    items.unwrap_or_default().into_iter().collect()
}

fn texts(reader: &mut Reader, map: &Map<String, Value>, name: &str) -> Vec<String> {
    let items = reader.optional(map, name, |reader, value| reader.items(value, limits::RELEASE_TEXTS, something));
    items.unwrap_or_default()
}

/// Reads an object of texts whose names are checked.
fn by_name<K: Ord>(reader: &mut Reader, map: &Map<String, Value>, name: &str, key: impl Fn(&str) -> Result<K, ValidationErrors>) -> BTreeMap<K, String> {
    let read = reader.optional(map, name, |reader, value| {
        let members = reader.object(value)?;
        if members.len() > limits::RELEASE_FLAGS {
            return reader.refuse(format!("has {} entries; at most {} are allowed", members.len(), limits::RELEASE_FLAGS));
        }
        let read = members.iter().map(|(name, value)| {
            reader.within(name, |reader| {
                let text = something(reader, value);
                let key = key(name).or_else(|faults| reader.refuse_all(faults));
                Ok((key?, text?))
            })
        });
        // All entries are checked before one is refused.
        read.collect::<Vec<_>>().into_iter().collect::<Read<BTreeMap<_, _>>>()
    });
    read.unwrap_or_default()
}

fn owner_role(text: &str) -> Result<String, ValidationErrors> {
    if (1..=limits::KEY_CHARACTERS).contains(&text.chars().count()) && !text.chars().any(char::is_whitespace) {
        return Ok(text.to_owned());
    }
    Err(ValidationErrors::one(
        "",
        format!("{text:?} is not an owner role; use one word, such as \"commander\" or \"operations\""),
    ))
}

/// Reads a text that is not empty.
fn something(reader: &mut Reader, value: &Value) -> Read<String> {
    let text = reader.line(value)?;
    let text = text.trim();
    if text.is_empty() {
        return reader.refuse("is empty; leave it out if there is nothing to say");
    }
    Ok(text.to_owned())
}
