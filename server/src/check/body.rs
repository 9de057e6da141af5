//! Compares a response body with what a check expects. The result shows only numbers, `true`, `false`, `null` and texts that the check
//! itself contains: no check can be used to read another service.

use ripcord_proto::check::{BodyCheck, BodyComparison};
use serde_json::Value;

/// Characters of a value that are shown.
const SHOWN: usize = 80;

/// Checks a body: what was found, in words, or what is wrong with it.
pub(super) fn judge(expected: &BodyCheck, bytes: &[u8]) -> Result<String, String> {
    let body: Value = serde_json::from_slice(bytes).map_err(|_| "the body is not JSON".to_owned())?;
    match compare(expected, &body)? {
        BodyMatch::Matches(found) => Ok(found),
        BodyMatch::Differs(found) => Err(found),
    }
}

/// The result of a comparison, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BodyMatch {
    /// As expected: the value, in words.
    Matches(String),
    /// Different: the value, in words.
    Differs(String),
}

/// Compares, or explains why it cannot: there is nothing at the place, or something that is not a number.
pub(crate) fn compare(expected: &BodyCheck, body: &Value) -> Result<BodyMatch, String> {
    let place = if expected.pointer.is_empty() { "the body" } else { &expected.pointer };
    let found = body.pointer(&expected.pointer).ok_or_else(|| format!("the body has nothing at {place}"))?;
    let number = || found.as_f64().ok_or_else(|| format!("{place} is {}, which is not a number", described(found)));
    let (holds, wanted) = match &expected.comparison {
        BodyComparison::Equals(value) if is_same(found, value) => return Ok(BodyMatch::Matches(format!("{place} is {}", shortened(value)))),
        BodyComparison::Equals(value) => (false, shortened(value)),
        BodyComparison::Below(limit) => (number()? < *limit, format!("below {limit}")),
        BodyComparison::Above(limit) => (number()? > *limit, format!("above {limit}")),
    };
    let shown = described(found);
    Ok(if holds {
        BodyMatch::Matches(format!("{place} is {shown}"))
    } else {
        BodyMatch::Differs(format!("{place} is {shown}, expected {wanted}"))
    })
}

/// JSON has one kind of number: 3 and 3.0 are the same.
fn is_same(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Number(found), Value::Number(wanted)) => found == wanted || found.as_f64() == wanted.as_f64(),
        (found, wanted) => found == wanted,
    }
}

/// What was found, without texts.
fn described(found: &Value) -> String {
    match found {
        Value::Null | Value::Bool(_) | Value::Number(_) => found.to_string(),
        Value::String(text) => format!("a text of {} characters", text.chars().count()),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(members) => format!("an object of {} members", members.len()),
    }
}

/// A value that the check states.
fn shortened(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= SHOWN {
        return text;
    }
    text.chars().take(SHOWN).chain("…".chars()).collect()
}
