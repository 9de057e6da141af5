//! Why a test is false that compares things of different types: no operator converts, so `equals: 5` never holds for the text `5`.

use jiff::Timestamp;
use ripcord_proto::condition::{Test, parse_version};
use ripcord_proto::instant;
use ripcord_proto::value::Scalar;
use serde_json::Value;

use super::context::Attribute;
use super::scalar_text::with_text;

/// What a test compares, and what the attribute is instead.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct DifferentTypes {
    /// What the test works on: `text`, `number`, `text or number`, `version`, `time`, `address`.
    pub wanted: String,
    /// What the attribute is: `text`, `number`, `boolean`, `list`, `object`, `date without a time`.
    pub found: &'static str,
}

impl DifferentTypes {
    /// The types, if the test cannot hold for any value of the attribute's type. Nothing for a missing attribute.
    pub(super) fn of(test: &Test, attribute: Attribute<'_>) -> Option<Self> {
        let found = kind(attribute)?;
        let wanted: Vec<&str> = match test {
            Test::Equals(scalar) => vec![scalar_kind(scalar)],
            Test::OneOf(values) => {
                let mut kinds: Vec<_> = values.iter().map(scalar_kind).collect();
                kinds.sort_unstable();
                kinds.dedup();
                kinds
            }
            Test::Contains(Scalar::String(_)) => vec!["list", "text"],
            Test::Contains(_) => vec!["list"],
            Test::StartsWith(_) | Test::EndsWith(_) | Test::Matches(_) => vec!["text"],
            Test::Lt(_) | Test::Lte(_) | Test::Gt(_) | Test::Gte(_) => vec!["number"],
            Test::SemverEq(_) | Test::SemverLt(_) | Test::SemverLte(_) | Test::SemverGt(_) | Test::SemverGte(_) | Test::SemverIn(_) => {
                let is_version = with_text(attribute, |text| parse_version(text).is_some()).unwrap_or(false);
                return (!is_version).then(|| Self::new("version", found));
            }
            Test::Before(_) | Test::After(_) => return not_a_time(attribute, found),
            Test::InCidr(_) => {
                let is_address = matches!(attribute, Attribute::Text(text) if text.parse::<std::net::IpAddr>().is_ok());
                return (!is_address).then(|| Self::new("address", found));
            }
            Test::Exists(_) => return None,
        };
        (!wanted.is_empty() && !wanted.contains(&found)).then(|| Self::new(wanted.join(" or "), found))
    }

    fn new(wanted: impl Into<String>, found: &'static str) -> Self {
        Self { wanted: wanted.into(), found }
    }
}

const fn scalar_kind(scalar: &Scalar) -> &'static str {
    match scalar {
        Scalar::String(_) => "text",
        Scalar::Number(_) => "number",
        Scalar::Boolean(_) => "boolean",
    }
}

const fn kind(attribute: Attribute<'_>) -> Option<&'static str> {
    Some(match attribute {
        Attribute::Null | Attribute::Json(Value::Null) => return None,
        Attribute::Boolean(_) | Attribute::Json(Value::Bool(_)) => "boolean",
        Attribute::Integer(_) | Attribute::Number(_) | Attribute::Json(Value::Number(_)) => "number",
        Attribute::Text(_) | Attribute::Json(Value::String(_)) => "text",
        Attribute::Texts(_) | Attribute::Json(Value::Array(_)) => "list",
        Attribute::Json(Value::Object(_)) => "object",
    })
}

fn not_a_time(attribute: Attribute<'_>, found: &'static str) -> Option<DifferentTypes> {
    let Attribute::Text(text) = attribute else {
        return Some(DifferentTypes::new("time", found));
    };
    if instant::parse(text).is_some() {
        return None;
    }
    let is_date = format!("{text}T00:00:00Z").parse::<Timestamp>().is_ok();
    Some(DifferentTypes::new("time", if is_date { "date without a time" } else { found }))
}
