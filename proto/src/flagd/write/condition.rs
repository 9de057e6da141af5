//! Conditions in JSONLogic.

use std::ops::Bound;

use serde_json::{Number, Value, json};

use super::logic::{Subject, all, any, not, operation, same};
use super::targeting::{Depth, Writer};
use crate::condition::{Condition, Test, version_bounds};
use crate::flagd::unknown_operator;
use crate::value::Scalar;

impl Writer<'_> {
    /// A condition as a rule that is truthy if and only if the condition holds.
    pub(super) fn condition(&self, condition: &Condition, depth: Depth) -> Result<Value, String> {
        let written = |items: &[Condition]| items.iter().map(|item| self.condition(item, depth)).collect::<Result<Vec<_>, _>>();
        match condition {
            Condition::All(items) => Ok(all(written(items)?)),
            Condition::Any(items) => Ok(any(written(items)?)),
            Condition::Not(inner) => self.condition(inner, depth).map(not),
            Condition::Segment(key) => {
                let segment = self.segment(key).ok_or_else(|| format!("segment {key} cannot be read"))?;
                self.condition(&segment.when, depth.deeper()?)
            }
            // A failing rule serves nobody here, but in a required flag it would only fail the requirement.
            Condition::JsonLogic(_) if depth.is_within_required() => Err("a flag that it requires has an imported rule".to_owned()),
            Condition::JsonLogic(rule) => match unknown_operator(rule) {
                Some(operator) => Err(format!("its imported condition uses {operator:?}, which is not an operator")),
                None => Ok(rule.clone()),
            },
            Condition::Attribute { attribute, test } => test_of(&Subject::attribute(attribute)?, test),
        }
        .and_then(|rule| self.spend(rule))
    }
}

fn test_of(subject: &Subject, test: &Test) -> Result<Value, String> {
    let ordered = |operator: &str, number: &Number| all(vec![subject.is_number(), operation(operator, [subject.value(), json!(number)])]);
    let version = |operator: &str, version: &semver::Version| compared(subject, operator, version);
    let impossible = |what: &str| Err(format!("it tests {what}, which flagd cannot"));
    Ok(match test {
        Test::Equals(scalar) => equals(subject, scalar),
        Test::OneOf(values) => one_of(subject, values),
        Test::Contains(scalar) => contains(subject, scalar),
        Test::StartsWith(text) => operation("starts_with", [subject.value(), json!(text)]),
        Test::EndsWith(text) => operation("ends_with", [subject.value(), json!(text)]),
        Test::Lt(number) => ordered("<", number),
        Test::Lte(number) => ordered("<=", number),
        Test::Gt(number) => ordered(">", number),
        Test::Gte(number) => ordered(">=", number),
        Test::SemverEq(other) => version("=", other),
        Test::SemverLt(other) => version("<", other),
        Test::SemverLte(other) => version("<=", other),
        Test::SemverGt(other) => version(">", other),
        Test::SemverGte(other) => version(">=", other),
        Test::Exists(true) => operation("!==", [subject.value(), Value::Null]),
        Test::Exists(false) => same(subject.value(), Value::Null),
        Test::Matches(_) => return impossible("a regular expression"),
        Test::SemverIn(range) => in_range(subject, range),
        Test::Before(_) | Test::After(_) => return impossible("a date"),
        Test::InCidr(_) => return impossible("a network"),
    })
}

fn compared(subject: &Subject, operator: &str, version: &semver::Version) -> Value {
    operation("sem_ver", [subject.value(), json!(operator), json!(version.to_string())])
}

/// A range by its bounds. One without any holds for every version.
fn in_range(subject: &Subject, range: &semver::VersionReq) -> Value {
    let low = |bound: &Bound<semver::Version>| match bound {
        Bound::Included(version) => Some(compared(subject, ">=", version)),
        Bound::Excluded(version) => Some(compared(subject, ">", version)),
        Bound::Unbounded => None,
    };
    let high = |bound: &Bound<semver::Version>| match bound {
        Bound::Included(version) => Some(compared(subject, "<=", version)),
        Bound::Excluded(version) => Some(compared(subject, "<", version)),
        Bound::Unbounded => None,
    };
    let bounds = version_bounds(range);
    let tests: Vec<_> = bounds.iter().flat_map(|(from, to)| [low(from), high(to)]).flatten().collect();
    if tests.is_empty() {
        return operation("sem_ver", [subject.value(), json!(">="), json!("0.0.0-0")]);
    }
    all(tests)
}

fn equals(subject: &Subject, scalar: &Scalar) -> Value {
    match scalar {
        Scalar::String(text) => same(subject.value(), json!(text)),
        Scalar::Number(number) => subject.is_the_number(number),
        Scalar::Boolean(boolean) => subject.is_boolean(*boolean),
    }
}

/// Strings are looked up in one list, but only a string is: some engines find a number among strings. Numbers and booleans, which some
/// engines confuse, are compared one by one.
fn one_of(subject: &Subject, values: &[Scalar]) -> Value {
    let (texts, others): (Vec<_>, Vec<_>) = values.iter().partition(|value| matches!(value, Scalar::String(_)));
    let texts = (!texts.is_empty()).then(|| all(vec![subject.is_text(), operation("in", [subject.value(), json!(texts)])]));
    any(texts.into_iter().chain(others.into_iter().map(|other| equals(subject, other))).collect())
}

/// `merge` turns any value into a list, so that it can be searched whether it is a list or not.
fn contains(subject: &Subject, scalar: &Scalar) -> Value {
    let items = operation("merge", [subject.value()]);
    let has_item = operation("some", [items, equals(&Subject::item(), scalar)]);
    match scalar {
        Scalar::String(text) => any(vec![all(vec![subject.is_text(), operation("in", [json!(text), subject.value()])]), has_item]),
        Scalar::Number(_) | Scalar::Boolean(_) => all(vec![not(equals(subject, scalar)), has_item]),
    }
}
