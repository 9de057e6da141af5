//! `commits`: one atomic change of any number of things.

#[cfg(feature = "openapi")]
mod schema;

use serde_json::{Map, Value};

use super::settings::SettingsRequest;
use super::{Members, Request as _};
use crate::digest::Digest;
use crate::file_set::FileSet;
use crate::flag::Flag;
use crate::key::{FlagKey, SegmentKey};
use crate::kill::{KillId, KillScope};
use crate::limits;
use crate::reader::{Read, Reader};
use crate::role::Action;
use crate::segment::Segment;
use crate::validation::ValidationErrors;

/// `POST commits` and `POST commits/plan`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommitRequest {
    /// The reason for the change, recorded in the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What, in order: all of it or nothing.
    pub changes: Vec<ChangeRequest>,
    /// The hash of the plan that must still hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub plan: Option<Digest>,
    /// Whether the caller knows that it changes what a killed flag serves.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_killed_edit: bool,
}

/// One change of a commit: an object with one member that names it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeRequest {
    /// `{"put_flag": {"key", "flag"}}`: creates or replaces a flag.
    PutFlag {
        /// The key of the flag.
        key: FlagKey,
        /// The whole flag.
        flag: Box<Flag>,
    },
    /// `{"delete_flag": "key"}`: deletes a flag.
    DeleteFlag(FlagKey),
    /// `{"set_enabled": {"key", "enabled"}}`: turns a flag on or off.
    SetEnabled {
        /// The key of the flag.
        key: FlagKey,
        /// Off serves the caller's own default.
        enabled: bool,
    },
    /// `{"put_segment": {"key", "segment"}}`: creates or replaces a segment.
    PutSegment {
        /// The key of the segment.
        key: SegmentKey,
        /// The whole segment.
        segment: Box<Segment>,
    },
    /// `{"delete_segment": "key"}`: deletes a segment.
    DeleteSegment(SegmentKey),
    /// `{"kill": {"scope", "future"}}`: makes flags serve their safe variant.
    Kill {
        /// The flags to kill.
        scope: KillScope,
        /// Whether a tag that no flag has is killed too, for flags that get it later.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        future: bool,
        /// What stood beside the scope and was ignored: a kill is never refused for it.
        #[serde(skip)]
        ignored: Vec<String>,
    },
    /// `{"restore": "k_…"}`: lifts a kill.
    Restore(KillId),
    /// `{"put_settings": {…}}`: replaces the settings.
    PutSettings(SettingsRequest),
    /// `{"apply_set": {…}}`: makes what a file set owns match its files.
    ApplySet(Box<FileSet>),
}

const NAMES: [&str; 9] = [
    "put_flag",
    "delete_flag",
    "set_enabled",
    "put_segment",
    "delete_segment",
    "kill",
    "restore",
    "put_settings",
    "apply_set",
];

impl ChangeRequest {
    /// What a key must be allowed to do.
    pub const fn action(&self) -> Action {
        match self {
            Self::PutFlag { .. } | Self::DeleteFlag(_) | Self::SetEnabled { .. } | Self::PutSegment { .. } | Self::DeleteSegment(_) | Self::ApplySet(_) => {
                Action::Edit
            }
            Self::Kill { .. } => Action::Kill,
            Self::Restore(_) => Action::Restore,
            Self::PutSettings(_) => Action::Administer,
        }
    }

    /// Reads the JSON form and reports every problem.
    pub fn from_value(value: &Value) -> Result<Self, ValidationErrors> {
        crate::reader::read(value, Self::read)
    }

    pub(crate) fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        let map = reader.object(value)?;
        reader.members(map, "a change", &NAMES, &[]);
        let mut named = NAMES.iter().filter_map(|name| map.get(*name).map(|value| (*name, value)));
        let Some((name, value)) = named.next() else {
            return reader.refuse(format!("names no change; it must be an object with one of {}", NAMES.join(", ")));
        };
        if let Some((second, _)) = named.next() {
            return reader.refuse(format!("names two changes, {name} and {second}; give each its own object"));
        }
        reader.within(name, |reader| Self::read_named(reader, name, value))
    }

    fn read_named(reader: &mut Reader, name: &str, value: &Value) -> Read<Self> {
        match name {
            "put_flag" => {
                let (key, flag) = put(reader, value, "flag", Flag::from_value)?;
                Ok(Self::PutFlag { key, flag: Box::new(flag) })
            }
            "put_segment" => {
                let (key, segment) = put(reader, value, "segment", Segment::from_value)?;
                Ok(Self::PutSegment {
                    key,
                    segment: Box::new(segment),
                })
            }
            "set_enabled" => {
                let map = reader.object(value)?;
                reader.members(map, "set_enabled", &["key", "enabled"], &[]);
                let key = reader.required(map, "key", "the key of a flag", Reader::parsed);
                let enabled = reader.required(map, "enabled", "true or false", Reader::boolean);
                Ok(Self::SetEnabled { key: key?, enabled: enabled? })
            }
            "kill" => {
                let map = reader.object(value)?;
                let scope = reader.required(map, "scope", super::kills::SCOPE, super::kills::scope)?;
                let mut ignored = super::kills::unknown(map, &["scope", "future"]);
                let future = super::kills::future(map, &mut ignored);
                Ok(Self::Kill { scope, future, ignored })
            }
            "delete_flag" => reader.parsed(value).map(Self::DeleteFlag),
            "delete_segment" => reader.parsed(value).map(Self::DeleteSegment),
            "apply_set" => FileSet::read(reader, value).map(|set| Self::ApplySet(Box::new(set))),
            "restore" => reader.parsed(value).map(Self::Restore),
            _ => SettingsRequest::from_value(value)
                .map(Self::PutSettings)
                .or_else(|faults| reader.refuse_all(faults)),
        }
    }
}

impl<'de> serde::Deserialize<'de> for ChangeRequest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// `{"key": …, MEMBER: …}`
fn put<K, V>(reader: &mut Reader, value: &Value, member: &str, parse: impl Fn(&Value) -> Result<V, crate::ValidationErrors>) -> Read<(K, V)>
where
    K: std::str::FromStr<Err = crate::ValidationErrors>,
{
    let map = reader.object(value)?;
    reader.members(map, &format!("put_{member}"), &["key", member], &[]);
    let key = reader.required(map, "key", &format!("the key of the {member}"), Reader::parsed);
    let value = reader.required(map, member, &format!("the {member}"), |reader, value| {
        parse(value).or_else(|faults| reader.refuse_all(faults))
    });
    Ok((key?, value?))
}

impl Members for CommitRequest {
    const WHAT: &'static str = "a commit";
    const KNOWN: &'static [&'static str] = &["reason", "changes", "plan", "allow_killed_edit"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let reason = super::reason(reader, map);
        let changes = reader.required(map, "changes", "a list of changes", |reader, value| {
            let changes = reader.items(value, limits::CHANGES, ChangeRequest::read)?;
            if changes.is_empty() {
                return reader.refuse("is empty; a commit needs at least one change");
            }
            Ok(changes)
        });
        let plan = reader.optional(map, "plan", Reader::parsed);
        let allow_killed_edit = reader.optional(map, "allow_killed_edit", Reader::boolean).unwrap_or_default();
        Ok(Self {
            reason,
            changes: changes?,
            plan,
            allow_killed_edit,
        })
    }
}
