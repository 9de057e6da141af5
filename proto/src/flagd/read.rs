//! flagd's JSON or YAML → native flags.

mod describe;
mod references;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use self::describe::Described;
use self::references::Evaluators;
use super::safe::SafeVariants;
use crate::flag::Flag;
use crate::flags_file::FlagsFile;
use crate::key::{FlagKey, VariantName};
use crate::reader::{self, Read, Reader};
use crate::validation::{ValidationError, ValidationErrors};
use crate::variant::Variants;
use crate::{limits, yaml};

const DOCUMENT: [&str; 4] = ["flags", "$evaluators", "metadata", "$schema"];
const FLAG: [&str; 10] = [
    "key",
    "state",
    "variants",
    "defaultVariant",
    "targeting",
    "metadata",
    "description",
    "$comment",
    "_comment",
    "comment",
];

/// Members of flagd's flags that decide what is served.
const DECIDING: [&str; 3] = ["state", "defaultVariant", "targeting"];
/// Members of a native flag that flagd's flags never have.
const NATIVE: [&str; 4] = ["default", "safe", "rules", "enabled"];

/// The result of reading flagd's flags.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FlagdImport {
    /// The flags, in the order of the file.
    pub flags: IndexMap<FlagKey, Flag>,
    /// What was ignored, as flagd ignores it, and rules that cannot work, each with its path.
    pub warnings: Vec<ValidationError>,
}

/// Reads flagd's flags, JSON or YAML. Flags that flagd accepts are accepted if they respect the limits of keys and sizes, and have one
/// type for all of their variants. All others are refused by name.
pub fn parse(text: &str, safe: &SafeVariants) -> Result<FlagdImport, ValidationErrors> {
    let (document, comments) = yaml::parse_with_comments(text)?;
    read(&document, &comments, safe)
}

/// A parsed file, which may be in either format.
#[derive(Debug, Clone, PartialEq)]
pub enum ImportedFile {
    /// A flags file.
    Native(FlagsFile),
    /// flagd's flags.
    Flagd(FlagdImport),
}

impl ImportedFile {
    /// Converts it to a flags file.
    pub fn into_file(self) -> FlagsFile {
        match self {
            Self::Native(file) => file,
            Self::Flagd(imported) => FlagsFile {
                flags: imported.flags,
                ..FlagsFile::default()
            },
        }
    }

    /// What was ignored.
    pub fn warnings(&self) -> &[ValidationError] {
        match self {
            Self::Native(_) => &[],
            Self::Flagd(imported) => &imported.warnings,
        }
    }
}

/// Reads a flags file or flagd's flags, and detects which.
pub fn parse_either(text: &str) -> Result<ImportedFile, ValidationErrors> {
    let (document, comments) = yaml::parse_with_comments(text)?;
    if is_flagd(&document) {
        read(&document, &comments, &SafeVariants::default()).map(ImportedFile::Flagd)
    } else {
        FlagsFile::from_value(&document).map(ImportedFile::Native)
    }
}

/// Whether a document is flagd's: it has members that a flags file never has.
fn is_flagd(document: &Value) -> bool {
    if flag_spec(document).is_some() {
        return true;
    }
    let has = |member: &str| document.get(member).is_some();
    let flags_are = |test: &dyn Fn(&Value) -> bool| document.get("flags").and_then(Value::as_object).is_some_and(|flags| flags.values().any(test));
    has("$evaluators")
        || has("$schema")
        || document.get("flags").is_some_and(Value::is_array)
        || flags_are(&|flag| DECIDING.iter().any(|member| flag.get(member).is_some()))
}

/// The flags in a resource of Kubernetes, as the operator of OpenFeature reads them.
fn flag_spec(document: &Value) -> Option<&Value> {
    document.get("kind").filter(|kind| *kind == "FeatureFlag")?;
    document.pointer("/spec/flagSpec")
}

fn read(document: &Value, comments: &yaml::Comments, safe: &SafeVariants) -> Result<FlagdImport, ValidationErrors> {
    let (document, place) = match flag_spec(document) {
        Some(spec) => (spec, ["spec", "flagSpec", "flags"].as_slice()),
        None => (document, ["flags"].as_slice()),
    };
    let comments = Described { comments, place };
    let mut warnings = Vec::new();
    let flags = reader::read(document, |reader, value| {
        let map = reader.object(value)?;
        if map.contains_key("kind") && map.contains_key("apiVersion") {
            return reader.refuse("is a resource of Kubernetes; of these a FeatureFlag can be imported, which has its flags at spec.flagSpec");
        }
        let all = map.get("flags").and_then(Value::as_object).filter(|flags| !flags.is_empty());
        if all.is_some_and(|flags| flags.values().all(|flag| flag.as_object().is_some_and(is_native))) {
            return reader.refuse("is a flags file of Ripcord, not of flagd; apply it as it is: `ripcord apply -f FILE`");
        }
        warn_of_members(&mut warnings, map, "", &DOCUMENT);
        let set = Set {
            evaluators: Evaluators::new(map.get("$evaluators")),
            comments: &comments,
            metadata: reader.optional(map, "metadata", metadata).unwrap_or_default(),
        };
        let read = reader.required(map, "flags", "an object of flags", |reader, value| {
            flags(reader, value, &set, safe, &mut warnings)
        })?;
        let has_variant = |name: &str| read.values().any(|flag| flag.variants.get(name).is_some());
        for key in safe.strangers(|key| stands_in(map.get("flags"), key), has_variant) {
            reader.within("flags", |reader| {
                reader.note(format!("has no flag \"{key}\" to set the safe variant of"));
            });
        }
        Ok(read)
    })?;
    Ok(FlagdImport { flags, warnings })
}

/// The parts of a document that apply to all of its flags.
struct Set<'d> {
    evaluators: Evaluators,
    comments: &'d Described<'d>,
    metadata: Map<String, Value>,
}

fn warn_of_members(warnings: &mut Vec<ValidationError>, map: &Map<String, Value>, place: &str, known: &[&str]) {
    let unknown = map.keys().filter(|name| !known.contains(&name.as_str()));
    warnings.extend(unknown.map(|name| {
        let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
        ValidationError::new(place, "is unknown to flagd and was ignored")
    }));
}

/// Whether a flag has a member that only Ripcord's flags have, and nothing with which flagd decides what is served.
fn is_native(map: &Map<String, Value>) -> bool {
    !DECIDING.iter().any(|member| map.contains_key(*member)) && NATIVE.iter().any(|member| map.contains_key(*member))
}

/// Why a flag is not flagd's: it has other members, and of flagd's nothing that decides what is served. To ignore the others would serve
/// something else.
fn foreign(map: &Map<String, Value>) -> Option<String> {
    if DECIDING.iter().any(|member| map.contains_key(*member)) {
        return None;
    }
    let unknown: Vec<&str> = map.keys().map(String::as_str).filter(|name| !FLAG.contains(name)).collect();
    if unknown.is_empty() {
        return None;
    }
    let listed = reader::quoted(unknown.iter().copied());
    Some(if is_native(map) {
        format!("is a flag of a Ripcord flags file, with {listed}, and not of flagd; apply such files as they are: `ripcord apply -f FILE`")
    } else {
        format!("has nothing of flagd but its variants; {listed} would be ignored")
    })
}

fn stands_in(flags: Option<&Value>, key: &str) -> bool {
    match flags {
        Some(Value::Object(members)) => members.contains_key(key),
        Some(Value::Array(items)) => items.iter().any(|item| item.get("key").and_then(Value::as_str) == Some(key)),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => false,
    }
}

/// The flags, as an object by key, or as a list of flags with keys.
fn flags(reader: &mut Reader, value: &Value, set: &Set<'_>, safe: &SafeVariants, warnings: &mut Vec<ValidationError>) -> Read<IndexMap<FlagKey, Flag>> {
    let mut found = IndexMap::new();
    let mut take = |reader: &mut Reader, name: &str, value: &Value| {
        let entry = reader.within(name, |reader| entry(reader, name, value, set, safe, warnings));
        let Ok((key, flag)) = entry else { return };
        if found.insert(key, flag).is_some() {
            reader.within(name, |reader| {
                reader.note("is in two flag sets; a key is unique within an environment, so import each set into its own environment");
            });
        }
    };
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                match item.get("key").and_then(Value::as_str) {
                    Some(key) => take(reader, key, item),
                    None => reader.item(index, |reader| reader.note("has no \"key\"; in a list each flag names its own")),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            for (name, flag) in reader.object(value)? {
                take(reader, name, flag);
            }
        }
    }
    if found.len() > limits::FLAGS {
        return reader.refuse(format!("has {} flags; at most {} are allowed", found.len(), limits::FLAGS));
    }
    Ok(found)
}

fn entry(reader: &mut Reader, name: &str, value: &Value, set: &Set<'_>, safe: &SafeVariants, warnings: &mut Vec<ValidationError>) -> Read<(FlagKey, Flag)> {
    let key: Result<FlagKey, _> = name.parse().or_else(|faults| reader.refuse_all(faults));
    let map = reader.object(value)?;
    if let Some(why) = foreign(map) {
        return reader.refuse(why);
    }
    warn_of_members(warnings, map, &format!("flags.{name}"), &FLAG);
    if !map.contains_key("state") {
        warnings.push(ValidationError::new(
            format!("flags.{name}.state"),
            "is missing; the flag counts as ENABLED, as it does in flagd",
        ));
    }
    let flag = flag(reader, name, map, set);
    let (key, mut flag) = (key?, flag?);
    flag.description = set.comments.describe(name, map);
    warnings.extend(flag.cautions().into_iter().map(|caution| caution.under(&format!("flags.{name}"))));
    safe.choose(&key, &mut flag).or_else(|faults| reader.refuse_all(faults))?;
    let native = serde_json::to_value(&flag).or_else(|error| reader.refuse(format!("cannot be kept: {error}")))?;
    reader.size(&native, limits::FLAG_BYTES, "")?;
    Ok((key, flag))
}

fn flag(reader: &mut Reader, name: &str, map: &Map<String, Value>, set: &Set<'_>) -> Read<Flag> {
    let enabled = reader.optional(map, "state", state);
    let variants = reader.required(map, "variants", "an object of 1 to 64 names and values", Variants::read);
    let own = reader.optional(map, "metadata", metadata).unwrap_or_default();
    let targeting = reader.within("targeting", |reader| targeting(reader, map.get("targeting"), &set.evaluators));
    let variants = variants?;
    let default = reader.within("defaultVariant", |reader| default_variant(reader, map.get("defaultVariant"), &variants));
    let (default, rule) = (default?, targeting?);
    let mut metadata = set.metadata.clone();
    metadata.extend(own);
    let rules = rule.map(|rule| rules::rules(rule, name, &variants));
    Ok(Flag {
        description: None,
        owner: None,
        tags: BTreeSet::new(),
        enabled: enabled.unwrap_or(true),
        variants,
        safe: default.clone(),
        default,
        rules: rules.unwrap_or_default(),
        requires: Vec::new(),
        lease: None,
        one_way: None,
        checks: Vec::new(),
        client: false,
        flagd_without_lease: false,
        metadata,
        expires_at: None,
    })
}

fn state(reader: &mut Reader, value: &Value) -> Read<bool> {
    match value.as_str() {
        Some("ENABLED") => Ok(true),
        Some("DISABLED") => Ok(false),
        Some(_) | None => reader.refuse(format!("{value} is not a state; it must be \"ENABLED\" or \"DISABLED\"")),
    }
}

fn metadata(reader: &mut Reader, value: &Value) -> Read<Map<String, Value>> {
    let map = reader.object(value)?;
    reader.any(value, limits::JSON_DEPTH)?;
    Ok(map.clone())
}

/// Null and the empty string mean that there is no default variant.
fn default_variant(reader: &mut Reader, value: Option<&Value>, variants: &Variants) -> Read<Option<VariantName>> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let text = reader.text(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(name) = variants.names().find(|name| name.as_str() == text) {
        return Ok(Some(name.clone()));
    }
    let known = reader::quoted(variants.names().map(VariantName::as_str));
    reader.refuse(format!("{text:?} is not a variant of this flag; it has {known}"))
}

/// The rule with its references resolved; `None` if it is empty.
fn targeting(reader: &mut Reader, value: Option<&Value>, evaluators: &Evaluators) -> Read<Option<Value>> {
    let nothing = |rule: &&Value| rule.is_null() || rule.as_object().is_some_and(Map::is_empty);
    let Some(rule) = value.filter(|rule| !nothing(rule)) else {
        return Ok(None);
    };
    let Some(whole) = evaluators.resolve(rule, limits::FLAG_BYTES) else {
        return reader.refuse(format!("takes more than {} bytes with its evaluators inserted", limits::FLAG_BYTES));
    };
    reader.any(&whole, limits::JSON_DEPTH)?;
    Ok(Some(whole))
}
