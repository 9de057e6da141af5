//! Snapshot → flagd's flags, each of which serves every user the same variant as this server does.

mod condition;
mod logic;
mod targeting;
#[cfg(test)]
mod tests;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use self::targeting::Writer;
use super::sets;
use crate::flag::Flag;
use crate::key::{FlagKey, VariantName};
use crate::kill::{Kill, KillId};
use crate::snapshot::Snapshot;
use crate::variant::Variants;

/// The member of a flag's metadata that names the kill which forces its safe variant.
pub const KILL_METADATA: &str = "ripcord.kill";

/// An environment as flagd's flags.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct FlagdExport {
    /// The flags, by key.
    pub flags: IndexMap<FlagKey, FlagdFlag>,
    /// Flags left out because flagd's clients would evaluate them differently.
    pub left_out: Vec<SkippedFlag>,
}

/// A flag that cannot be expressed in flagd's format.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct SkippedFlag {
    /// The key of the flag.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub flag: FlagKey,
    /// Why, in one sentence for a person.
    pub why: String,
}

/// A flag in flagd's format, with exactly the members that every client accepts.
#[derive(Debug, Clone, PartialEq)]
pub struct FlagdFlag {
    enabled: bool,
    variants: Variants,
    default: Option<VariantName>,
    targeting: Option<Value>,
    metadata: Map<String, Value>,
    sets: Vec<String>,
}

impl FlagdFlag {
    /// Whether it belongs to the flag set; see [`super::belongs_to`].
    pub fn is_of_set(&self, set: &str) -> bool {
        sets::is_among(set, self.sets.iter().map(String::as_str))
    }
}

impl serde::Serialize for FlagdFlag {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("state", if self.enabled { "ENABLED" } else { "DISABLED" })?;
        map.serialize_entry("variants", &self.variants)?;
        // Some clients reject the whole payload if it is null or missing. All of them read the empty string as absent.
        map.serialize_entry("defaultVariant", self.default.as_ref().map_or("", VariantName::as_str))?;
        if let Some(targeting) = &self.targeting {
            map.serialize_entry("targeting", targeting)?;
        }
        if !self.metadata.is_empty() {
            map.serialize_entry("metadata", &self.metadata)?;
        }
        map.end()
    }
}

impl FlagdExport {
    /// The document that clients load: all flags, or those of one flag set.
    pub fn document(&self, set: Option<&str>) -> Value {
        let flags = self.flags.iter().filter(|(_, flag)| set.is_none_or(|set| flag.is_of_set(set)));
        let flags: Map<String, Value> = flags
            .map(|(key, flag)| (key.to_string(), serde_json::to_value(flag).unwrap_or_default()))
            .collect();
        json!({ "flags": flags })
    }
}

/// Writes a snapshot with `overlay` (the provisional kills) as flagd's flags.
pub fn export<'k>(snapshot: &'k Snapshot, overlay: impl IntoIterator<Item = &'k Kill>) -> FlagdExport {
    let mut kills: Vec<&Kill> = snapshot.kills.iter().filter_map(|entry| entry.value().ok()).collect();
    kills.extend(overlay);
    let writer = Writer::new(snapshot, kills);
    let mut export = FlagdExport::default();
    for entry in &snapshot.flags {
        let written = match entry.value() {
            Ok(flag) => definition(&writer, entry.key(), flag),
            Err(faults) => Err(format!("it cannot be read by this version: {faults}")),
        };
        match written {
            Ok(definition) => {
                export.flags.insert(entry.key().clone(), definition);
            }
            Err(why) => export.left_out.push(SkippedFlag {
                flag: entry.key().clone(),
                why,
            }),
        }
    }
    export
}

fn definition(writer: &Writer<'_>, key: &FlagKey, flag: &Flag) -> Result<FlagdFlag, String> {
    let kill = writer.kill_of(key);
    let targeting = match kill {
        // Always with targeting, because some clients cache flags without targeting.
        Some(_) => Some(json!({"if": [true, null]})),
        None if flag.enabled => writer.targeting(key, flag)?,
        None => None,
    };
    Ok(FlagdFlag {
        enabled: flag.enabled || kill.is_some(),
        variants: flag.variants.clone(),
        default: if kill.is_some() { flag.safe.clone() } else { flag.default.clone() },
        targeting,
        metadata: metadata(flag, kill.map(|kill| &kill.id)),
        sets: sets::of(flag).map(str::to_owned).collect(),
    })
}

/// The metadata that clients accept: strings, numbers and booleans.
fn metadata(flag: &Flag, kill: Option<&KillId>) -> Map<String, Value> {
    let simple = flag
        .metadata
        .iter()
        .filter(|(_, value)| value.is_string() || value.is_number() || value.is_boolean());
    let named = kill.map(|kill| (KILL_METADATA.to_owned(), json!(kill)));
    simple.map(|(name, value)| (name.clone(), value.clone())).chain(named).collect()
}
