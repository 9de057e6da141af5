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
/// What can be changed of a release: all but its name.
const DETAILS: &[&str] = REQUEST.split_at(1).1;

/// `POST releases`: a release begins, and the checkpoint before it is taken, in one commit.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleaseRequest {
    /// The release's name.
    pub name: ReleaseName,
    /// What it says about itself.
    #[serde(flatten)]
    pub details: ReleaseDetails,
    /// Why; added to what the commit says by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `PATCH releases/{name}`: what it says about itself from now on. A member that is named replaces what was said, `null` takes it
/// back; `data` and `owners` are changed entry by entry.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct ReleasePatch {
    /// The members that change, each valid in itself.
    #[serde(flatten)]
    members: Map<String, Value>,
    /// Why; added to what the commit says by itself.
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
    /// Until when it can be taken back as planned, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<RollbackWindow>,
    /// What it does not say yet, and must before a protected environment lets its flags be served to more people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<ValidationError>,
}

/// The time within which a release can be taken back as planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RollbackWindow {
    /// When the window ends.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub ends: jiff::Timestamp,
    /// Seconds that are left; 0 = it is over.
    pub remaining_seconds: u64,
}

/// `GET releases/{name}`: a release, and what it changed against its baseline.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleaseDetail {
    /// The release and its figures.
    #[serde(flatten)]
    pub view: ReleaseView,
    /// What it changed, as it was at the baseline and as it is now.
    pub diff: ReleaseDiff,
}

/// What a release changed.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleaseDiff {
    /// Flags that it changed and that are not as they were.
    pub flags: Vec<ReleasedFlag>,
    /// Segments that it changed and that are not as they were.
    pub segments: Vec<SegmentDiff>,
    /// Flags that it changed and that are as they were again.
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
    /// As it was at the baseline; absent = it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::Flag>))]
    pub from: Option<Box<RawValue>>,
    /// As it is now; absent = it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::Flag>))]
    pub to: Option<Box<RawValue>>,
    /// Whom it served what, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// Whom it serves what now, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<String>,
    /// In what it differs, a line for each.
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
        // What takes something back is valid whatever it takes back.
        details(reader, &without_nulls(&members));
        Ok(Self { members, reason })
    }
}

impl ReleasePatch {
    /// A patch of these members.
    pub fn new(members: Map<String, Value>, reason: Option<String>) -> Result<Self, ValidationErrors> {
        reader::read(&Value::Object(members), Self::read_object).map(|patch| Self { reason, ..patch })
    }

    /// `details` as they are with it.
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

/// RFC 7396, as deep as the members of a release go.
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

/// What a release says about itself; what is wrong is noted, and left out of what is read.
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

/// Texts by a checked name.
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
        // Each is looked at before one of them is refused.
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

/// Text with something in it.
fn something(reader: &mut Reader, value: &Value) -> Read<String> {
    let text = reader.prose(value)?;
    let text = text.trim();
    if text.is_empty() {
        return reader.refuse("is empty; leave it out if there is nothing to say");
    }
    Ok(text.to_owned())
}
