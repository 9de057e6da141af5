//! Rules of flags: a condition and what to serve, tried in order.

use serde::ser::SerializeMap as _;
use serde_json::Value;

use crate::condition::Condition;
use crate::key::{RuleId, VariantName};
use crate::limits;
use crate::reader::{self, Read, Reader};
use crate::split::Split;
use crate::validation::ValidationErrors;
use crate::variant::VariantNames;

const MEMBERS: [&str; 3] = ["id", "when", "serve"];

/// One rule of a flag.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The id of the rule, unique within the flag, if it has one.
    pub id: Option<RuleId>,
    /// The condition; `None` = always true.
    pub when: Option<Condition>,
    /// What the rule serves when its condition is true.
    pub serve: Serve,
}

/// What a rule serves.
#[derive(Debug, Clone, PartialEq)]
pub enum Serve {
    /// Always this variant.
    Variant(VariantName),
    /// A variant by the user's bucket.
    Split(Split),
    /// The variant that an imported JSONLogic rule names.
    JsonLogic(Value),
}

impl Rule {
    /// Reads the JSON form. `names` are the variants of the flag.
    pub fn from_value(value: &Value) -> Result<Self, ValidationErrors> {
        reader::read(value, |reader, value| Self::read(reader, value, VariantNames(None)))
    }

    pub(crate) fn read(reader: &mut Reader, value: &Value, names: VariantNames<'_>) -> Read<Self> {
        let map = reader.object(value)?;
        reader.members(map, "a rule", &MEMBERS, &[]);
        let id = reader.optional(map, "id", Reader::parsed);
        let when = reader.optional(map, "when", Condition::read);
        let what = "the name of a variant, {\"split\": […]} or {\"jsonlogic\": …}";
        let serve = reader.required(map, "serve", what, |reader, value| Serve::read(reader, value, names))?;
        Ok(Self { id, when, serve })
    }
}

impl Serve {
    fn read(reader: &mut Reader, value: &Value, names: VariantNames<'_>) -> Read<Self> {
        match value {
            Value::String(_) => names.read(reader, value).map(Self::Variant),
            Value::Object(map) => match map.get("jsonlogic") {
                Some(rule) => {
                    reader.members(map, "a JSONLogic rule", &["jsonlogic"], &[]);
                    reader.within("jsonlogic", |reader| reader.any(rule, limits::JSON_DEPTH))?;
                    Ok(Self::JsonLogic(rule.clone()))
                }
                None => Split::read(reader, value, names).map(Self::Split),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => reader.refuse(format!(
                "must be the name of a variant, {{\"split\": […]}} or {{\"jsonlogic\": …}}, not {}",
                reader::kind(value)
            )),
        }
    }
}

impl serde::Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(id) = &self.id {
            map.serialize_entry("id", id)?;
        }
        if let Some(when) = &self.when {
            map.serialize_entry("when", when)?;
        }
        map.serialize_entry("serve", &self.serve)?;
        map.end()
    }
}

impl serde::Serialize for Serve {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Variant(name) => name.serialize(serializer),
            Self::Split(split) => split.serialize(serializer),
            Self::JsonLogic(rule) => serializer.collect_map([("jsonlogic", rule)]),
        }
    }
}
