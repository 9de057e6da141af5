//! JSON → flag.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value};

use crate::check::Check;
use crate::flag::{Flag, Requirement};
use crate::lease::Lease;
use crate::limits;
use crate::one_way::OneWay;
use crate::reader::{self, Read, Reader};
use crate::rule::Rule;
use crate::validation::ValidationErrors;
use crate::variant::{VariantNames, Variants};

const MEMBERS: [&str; 16] = [
    "description",
    "owner",
    "tags",
    "enabled",
    "variants",
    "default",
    "safe",
    "rules",
    "requires",
    "lease",
    "one_way",
    "checks",
    "client",
    "flagd_without_lease",
    "metadata",
    "expires_at",
];
const NAMED: &str = "the name of a variant, or null for the caller's own default";

impl Flag {
    /// Reads the JSON form and reports every problem.
    pub fn from_value(value: &Value) -> Result<Self, ValidationErrors> {
        reader::read(value, flag)
    }
}

/// Where a long list of ids belongs.
const LONG_LISTS: &str = "; a segment can hold a long list of values";

fn flag(reader: &mut Reader, value: &Value) -> Read<Flag> {
    reader.size(value, limits::FLAG_BYTES, LONG_LISTS)?;
    let map = reader.object(value)?;
    reader.members(map, "a flag", &MEMBERS, &[]);
    let names = VariantNames(map.get("variants").and_then(Value::as_object));
    let description = reader.optional(map, "description", Reader::prose);
    let owner = reader.optional(map, "owner", Reader::prose);
    let tags = reader.optional(map, "tags", |reader, value| reader.items(value, limits::TAGS, Reader::parsed));
    let enabled = reader.optional(map, "enabled", Reader::boolean);
    let variants = reader.required(map, "variants", "an object of 1 to 64 names and values", Variants::read);
    let default = reader.required(map, "default", NAMED, |reader, value| names.read_or_null(reader, value));
    let safe = reader.required(map, "safe", NAMED, |reader, value| names.read_or_null(reader, value));
    let rules = reader.optional(map, "rules", |reader, value| rules(reader, value, names));
    let requires = reader.optional(map, "requires", requirements);
    let lease = reader.optional(map, "lease", Lease::read);
    let one_way = reader.optional(map, "one_way", |reader, value| OneWay::read(reader, value, names));
    let checks = reader.optional(map, "checks", Check::read_all);
    let client = reader.optional(map, "client", Reader::boolean);
    let flagd_without_lease = reader.optional(map, "flagd_without_lease", Reader::boolean);
    let metadata = reader.optional(map, "metadata", metadata);
    let expires_at = reader.optional(map, "expires_at", Reader::instant);
    Ok(Flag {
        description,
        owner,
        tags: tags.map(BTreeSet::from_iter).unwrap_or_default(),
        enabled: enabled.unwrap_or(true),
        variants: variants?,
        default: default?,
        safe: safe?,
        rules: rules.unwrap_or_default(),
        requires: requires.unwrap_or_default(),
        lease,
        one_way,
        checks: checks.unwrap_or_default(),
        client: client.unwrap_or(false),
        flagd_without_lease: flagd_without_lease.unwrap_or(false),
        metadata: metadata.unwrap_or_default(),
        expires_at,
    })
}

fn rules(reader: &mut Reader, value: &Value, names: VariantNames<'_>) -> Read<Vec<Rule>> {
    note_repeated_ids(reader, value);
    reader.items(value, limits::RULES, |reader, value| Rule::read(reader, value, names))
}

/// Reads the ids from the JSON, so that rules with other problems are checked too.
fn note_repeated_ids(reader: &mut Reader, rules: &Value) {
    let mut seen = HashSet::new();
    for (index, rule) in rules.as_array().into_iter().flatten().enumerate() {
        let Some(id) = rule.get("id").and_then(Value::as_str) else { continue };
        if !seen.insert(id) {
            let problem = format!("{id:?} is the id of an earlier rule too; ids are unique within a flag");
            reader.item(index, |reader| reader.within("id", |reader| reader.note(problem)));
        }
    }
}

fn requirements(reader: &mut Reader, value: &Value) -> Read<Vec<Requirement>> {
    reader.items(value, limits::REQUIREMENTS, |reader, value| {
        let map = reader.object(value)?;
        reader.members(map, "a requirement", &["flag", "variant"], &[]);
        let flag = reader.required(map, "flag", "the key of a flag", Reader::parsed);
        let variant = reader.required(map, "variant", "the name of a variant of that flag", Reader::parsed);
        Ok(Requirement {
            flag: flag?,
            variant: variant?,
        })
    })
}

fn metadata(reader: &mut Reader, value: &Value) -> Read<Map<String, Value>> {
    let map = reader.object(value)?;
    reader.any(value, limits::JSON_DEPTH)?;
    Ok(map.clone())
}
