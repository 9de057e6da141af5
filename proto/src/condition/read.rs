//! JSON → condition.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::version_range;
use crate::condition::{AttributePath, Condition, FORMS, OPERATORS, Test};
use crate::limits;
use crate::reader::{self, Read, Reader};
use crate::similar::nearest;
use crate::validation::ValidationErrors;
use crate::value::Scalar;

impl Condition {
    /// Reads the JSON form and reports every problem.
    pub fn from_value(value: &Value) -> Result<Self, ValidationErrors> {
        reader::read(value, Self::read)
    }

    pub(crate) fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        condition(reader, value, limits::CONDITION_DEPTH)
    }
}

fn condition(reader: &mut Reader, value: &Value, depth: usize) -> Read<Condition> {
    let map = reader.object(value)?;
    let Some(depth) = depth.checked_sub(1) else {
        return reader.refuse(format!(
            "is nested too deeply; a condition may be {} deep, and segments can hold parts of it",
            limits::CONDITION_DEPTH
        ));
    };
    if map.contains_key("attribute") {
        return attribute(reader, map);
    }
    let mut forms = FORMS.into_iter().filter_map(|form| Some((form, map.get(form)?)));
    let (form, inner) = match (forms.next(), forms.next()) {
        (Some(form), None) => form,
        (Some((one, _)), Some((other, _))) => return reader.refuse(format!("has both {one:?} and {other:?}; a condition has only one of them")),
        (None, _) => return formless(reader, map),
    };
    reader.members(map, "a condition of this form", &[form], &[]);
    reader.within(form, |reader| match form {
        "all" => reader
            .items(inner, limits::LIST_VALUES, |reader, item| condition(reader, item, depth))
            .map(Condition::All),
        "any" => reader
            .items(inner, limits::LIST_VALUES, |reader, item| condition(reader, item, depth))
            .map(Condition::Any),
        "not" => condition(reader, inner, depth).map(|inner| Condition::Not(Box::new(inner))),
        "segment" => reader.parsed(inner).map(Condition::Segment),
        _ => reader.any(inner, limits::JSON_DEPTH).map(|()| Condition::JsonLogic(inner.clone())),
    })
}

fn formless(reader: &mut Reader, map: &Map<String, Value>) -> Read<Condition> {
    if let Some(operator) = map.keys().find(|name| OPERATORS.contains(&name.as_str())) {
        return reader.refuse(format!("has the operator {operator:?} but no \"attribute\" to apply it to"));
    }
    let known = || FORMS.into_iter().chain(["attribute"]);
    let near = map.keys().find_map(|name| nearest(name, known()));
    let hint = near.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default();
    reader.refuse(format!("is not a condition; it must have one of {}{hint}", reader::quoted(known())))
}

fn attribute(reader: &mut Reader, map: &Map<String, Value>) -> Read<Condition> {
    let attribute = reader.required(map, "attribute", "the path of an attribute", AttributePath::read);
    let mut tests = map.iter().filter(|(name, _)| *name != "attribute");
    let (operator, value) = match (tests.next(), tests.next()) {
        (Some(test), None) => test,
        (None, _) => return reader.refuse("has no operator; add one, for example \"equals\": \"…\""),
        (Some((one, _)), Some((other, _))) if OPERATORS.contains(&one.as_str()) && OPERATORS.contains(&other.as_str()) => {
            return reader.refuse(format!(
                "has two operators, {one:?} and {other:?}; put each in a condition of its own within \"all\""
            ));
        }
        (Some((one, _)), Some((other, _))) => {
            let unknown = if OPERATORS.contains(&one.as_str()) { other } else { one };
            return unknown_operator(reader, unknown);
        }
    };
    if !OPERATORS.contains(&operator.as_str()) {
        return unknown_operator(reader, operator);
    }
    let test = reader.within(operator, |reader| test(reader, operator, value));
    Ok(Condition::Attribute {
        attribute: attribute?,
        test: test?,
    })
}

fn unknown_operator<T>(reader: &mut Reader, name: &str) -> Read<T> {
    let hint = reader::hint(name, OPERATORS);
    let hint = if hint.is_empty() {
        format!("; allowed: {}", reader::quoted(OPERATORS))
    } else {
        hint
    };
    reader.within(name, |reader| reader.refuse(format!("is not an operator{hint}")))
}

fn test(reader: &mut Reader, operator: &str, value: &Value) -> Read<Test> {
    match operator {
        "equals" => Scalar::read(reader, value).map(Test::Equals),
        "one_of" => reader.items(value, limits::LIST_VALUES, Scalar::read).map(Test::OneOf),
        "contains" => Scalar::read(reader, value).map(Test::Contains),
        "starts_with" => reader.text(value).map(str::to_owned).map(Test::StartsWith),
        "ends_with" => reader.text(value).map(str::to_owned).map(Test::EndsWith),
        "matches" => pattern(reader, value).map(Test::Matches),
        "lt" => reader.number(value).map(Test::Lt),
        "lte" => reader.number(value).map(Test::Lte),
        "gt" => reader.number(value).map(Test::Gt),
        "gte" => reader.number(value).map(Test::Gte),
        "semver_eq" => version(reader, value).map(Test::SemverEq),
        "semver_lt" => version(reader, value).map(Test::SemverLt),
        "semver_lte" => version(reader, value).map(Test::SemverLte),
        "semver_gt" => version(reader, value).map(Test::SemverGt),
        "semver_gte" => version(reader, value).map(Test::SemverGte),
        "semver_in" => version_range(reader, value).map(Test::SemverIn),
        "before" => reader.instant(value).map(Test::Before),
        "after" => reader.instant(value).map(Test::After),
        "in_cidr" => networks(reader, value).map(Test::InCidr),
        _ => reader.boolean(value).map(Test::Exists),
    }
}

#[cfg(not(feature = "regex"))]
fn pattern(reader: &mut Reader, value: &Value) -> Read<String> {
    reader.text(value).map(str::to_owned)
}

#[cfg(feature = "regex")]
fn pattern(reader: &mut Reader, value: &Value) -> Read<String> {
    let text = reader.text(value)?;
    match crate::condition::compile_pattern(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(regex::Error::CompiledTooBig(_)) => reader.refuse(format!(
            "is too large; a compiled regular expression can take up to {} KiB. Use \"one_of\" or \"starts_with\" if possible",
            limits::REGEX_BYTES / 1024
        )),
        Err(error) => {
            let last = error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            reader.refuse(format!("{text:?} is not a valid regular expression: {last}"))
        }
    }
}

fn version(reader: &mut Reader, value: &Value) -> Read<semver::Version> {
    let text = reader.text(value)?;
    match crate::condition::parse_version(text) {
        Some(version) => Ok(version),
        None => reader.refuse(format!(
            "{text:?} is not a version; write it as major.minor.patch, for example \"2.1.0\" or \"2.1.0-beta.1\""
        )),
    }
}

fn version_range(reader: &mut Reader, value: &Value) -> Read<semver::VersionReq> {
    let text = reader.text(value)?;
    version_range::parse(text).or_else(|error| reader.refuse(format!("{text:?} is not a version range ({error}); write it like \">=1.2, <2\"")))
}

/// One network, or a list of them. An address without a prefix length is a network of one address.
fn networks(reader: &mut Reader, value: &Value) -> Read<Vec<IpNet>> {
    if value.is_string() {
        network(reader, value).map(|net| vec![net])
    } else {
        reader.items(value, limits::LIST_VALUES, network)
    }
}

fn network(reader: &mut Reader, value: &Value) -> Read<IpNet> {
    let text = reader.text(value)?;
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    match network {
        Some(network) => Ok(network),
        None => reader.refuse(format!("{text:?} is not a network; write it like \"10.0.0.0/8\" or \"2001:db8::/32\"")),
    }
}
