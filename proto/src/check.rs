//! Checks: HTTP probes that a rollback runs before and after its commits.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::limits;
use crate::reader::{self, Read, Reader};
use crate::validation::ValidationErrors;
use crate::yaml;

/// An HTTP probe: a GET that checks the status and optionally one value in the JSON body.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Check {
    /// The name shown in responses and on the command line.
    pub name: String,
    /// The URL: `http://` or `https://`.
    pub url: String,
    /// When it runs; after the commit by default.
    pub when: BTreeSet<CheckPhase>,
    /// The expected status.
    pub expect: u16,
    /// A condition on the body.
    #[serde(flatten)]
    pub body: Option<BodyCheck>,
    /// Timeout in milliseconds.
    pub timeout_ms: u64,
}

/// When a check runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum CheckPhase {
    /// Before the commit: a failure refuses the rollback.
    Before,
    /// After each step of a staged rollback: a failure stops the rollback.
    Step,
    /// After the last commit: it determines whether service is restored.
    After,
}

/// A condition on one value of a JSON body.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct BodyCheck {
    /// RFC 6901: `/status`, or the empty pointer for the whole body.
    pub pointer: String,
    /// The comparison.
    #[serde(flatten)]
    pub comparison: BodyComparison,
}

/// A comparison of a value of the body.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BodyComparison {
    /// The value equals this JSON value.
    Equals(Value),
    /// The value is a number below this.
    Below(f64),
    /// The value is a number above this.
    Above(f64),
}

impl Check {
    /// Default timeout of a check, in milliseconds.
    pub const TIMEOUT_MS: u64 = 2_000;
    /// Maximum timeout of a check, in milliseconds.
    pub const TIMEOUT_MS_MAX: u64 = 30_000;

    /// Reads the JSON form and reports every problem.
    pub fn from_value(value: &Value) -> Result<Self, ValidationErrors> {
        reader::read(value, Self::read)
    }

    /// Reads a file of checks, YAML or JSON: a list, or an object with the one member `checks`.
    pub fn parse_file(text: &str) -> Result<Vec<Self>, ValidationErrors> {
        let document = yaml::parse(text)?;
        reader::read(&document, |reader, value| match value.as_object() {
            Some(map) => {
                reader.members(map, "a file of checks", &["checks"], &[]);
                reader.required(map, "checks", "a list of checks", Self::read_all)
            }
            None => Self::read_all(reader, value),
        })
    }

    /// Reads a list of checks, names unique.
    pub(crate) fn read_all(reader: &mut Reader, value: &Value) -> Read<Vec<Self>> {
        let checks = reader.items(value, limits::CHECKS, Self::read)?;
        let mut names = BTreeSet::new();
        match checks.iter().find(|check| !names.insert(check.name.as_str())) {
            None => Ok(checks),
            Some(repeated) => {
                let problem = format!("{:?} is the name of two checks; names are unique", repeated.name);
                reader.refuse(problem)
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        const MEMBERS: [&str; 9] = ["name", "url", "when", "expect", "pointer", "equals", "below", "above", "timeout_ms"];
        let map = reader.object(value)?;
        reader.members(map, "a check", &MEMBERS, &[]);
        let name = reader.required(map, "name", "a short name", Reader::line);
        let url = reader.required(map, "url", "an address that starts with http:// or https://", url);
        let when = reader.optional(map, "when", when);
        let expect = reader.optional(map, "expect", |reader, value| reader.whole(value, "an HTTP status", 100, 599));
        let timeout_ms = reader.optional(map, "timeout_ms", |reader, value| {
            reader.whole(value, "a number of milliseconds", 1, Self::TIMEOUT_MS_MAX)
        });
        let body = BodyCheck::read(reader, map);
        Ok(Self {
            name: name?,
            url: url?,
            when: when.unwrap_or_else(|| BTreeSet::from([CheckPhase::After])),
            expect: expect.and_then(|status| u16::try_from(status).ok()).unwrap_or(200),
            body: body?,
            timeout_ms: timeout_ms.unwrap_or(Self::TIMEOUT_MS),
        })
    }
}

impl<'de> serde::Deserialize<'de> for Check {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_value(&value).map_err(serde::de::Error::custom)
    }
}

impl<'de> serde::Deserialize<'de> for BodyCheck {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        reader::read(&value, Self::read_alone).map_err(serde::de::Error::custom)
    }
}

impl BodyCheck {
    /// Reads a body check on its own.
    pub(crate) fn read_alone(reader: &mut Reader, value: &Value) -> Read<Self> {
        let map = reader.object(value)?;
        reader.members(map, "a comparison", &["pointer", "equals", "below", "above"], &[]);
        match Self::read(reader, map)? {
            Some(check) => Ok(check),
            None => reader.refuse("is empty; add pointer, and one of equals, below and above"),
        }
    }

    fn read(reader: &mut Reader, map: &serde_json::Map<String, Value>) -> Read<Option<Self>> {
        let pointer = reader.optional(map, "pointer", |reader, value| {
            let text = reader.text(value)?;
            if text.is_empty() || text.starts_with('/') {
                return Ok(text.to_owned());
            }
            reader.refuse(format!("{text:?} is not a JSON pointer; it starts with /, as in \"/status\""))
        });
        let number = |reader: &mut Reader, value: &Value| reader.number(value).map(|number| number.as_f64().unwrap_or_default());
        let equals = map.get("equals").cloned().map(BodyComparison::Equals);
        let below = reader.optional(map, "below", number).map(BodyComparison::Below);
        let above = reader.optional(map, "above", number).map(BodyComparison::Above);
        let mut stated = [equals, below, above].into_iter().flatten();
        let (comparison, another) = (stated.next(), stated.next());
        if another.is_some() {
            return reader.refuse("has two comparisons; use one of equals, below and above");
        }
        match (pointer, comparison) {
            (Some(_), None) => reader.refuse("has a pointer but no comparison; add equals, below or above"),
            (pointer, Some(comparison)) => Ok(Some(Self {
                pointer: pointer.unwrap_or_default(),
                comparison,
            })),
            (None, None) => Ok(None),
        }
    }
}

pub(crate) fn url(reader: &mut Reader, value: &Value) -> Read<String> {
    let text = reader.text(value)?;
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    if host.is_some_and(|host| !host.is_empty() && !host.starts_with('/')) && !text.contains(char::is_whitespace) {
        return Ok(text.to_owned());
    }
    reader.refuse(format!("{text:?} is not an HTTP address; write it as \"http://host:port/path\""))
}

fn when(reader: &mut Reader, value: &Value) -> Read<BTreeSet<CheckPhase>> {
    let one = |reader: &mut Reader, value: &Value| match value.as_str() {
        Some("before") => Ok(CheckPhase::Before),
        Some("step") => Ok(CheckPhase::Step),
        Some("after") => Ok(CheckPhase::After),
        _ => reader.refuse(format!("must be \"before\", \"step\" or \"after\", not {value}")),
    };
    if !value.is_array() {
        return one(reader, value).map(|when| BTreeSet::from([when]));
    }
    reader.items(value, 3, one).map(BTreeSet::from_iter)
}

/// A check, and what it belongs to.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ScopedCheck {
    /// `flag checkout-v2`, `release web-2026.11.24` or `environment`.
    pub of: String,
    /// The check to run.
    pub check: Check,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckOutcome {
    /// The name of the check.
    pub name: String,
    /// What it belongs to: `flag checkout-v2`, `release web-2026.11.24` or `environment`.
    pub of: String,
    /// The phase in which it ran.
    pub when: CheckPhase,
    /// Whether it passed.
    pub passed: bool,
    /// The response, in words: `200 in 12 ms`, `503, expected 200`, `no answer within 2000 ms`.
    pub detail: String,
    /// When it completed.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
}
