//! Conditions in JSONLogic.

use serde_json::{Number, Value, json};

use super::logic::{Subject, all, any, not, operation, same};
use super::targeting::{Depth, Writer};
use crate::condition::{Condition, Test};
use crate::flagd::unknown_operator;
use crate::value::Scalar;

impl Writer<'_> {
    /// A condition as a rule that is truthy where it holds.
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
            // What fails gives everybody nothing here, and in a required flag it only fails the requirement.
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
    let version = |operator: &str, version: &semver::Version| operation("sem_ver", [subject.value(), json!(operator), json!(version.to_string())]);
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
        Test::SemverIn(_) => return impossible("a range of versions (use semver_gte and semver_lt where pre-releases may count)"),
        Test::Before(_) | Test::After(_) => return impossible("a date"),
        Test::InCidr(_) => return impossible("a network"),
    })
}

fn equals(subject: &Subject, scalar: &Scalar) -> Value {
    match scalar {
        Scalar::String(text) => same(subject.value(), json!(text)),
        Scalar::Number(number) => subject.is_the_number(number),
        Scalar::Boolean(boolean) => subject.is_boolean(*boolean),
    }
}

/// Texts are looked up in one list; numbers and booleans, which some engines mix up, one by one.
fn one_of(subject: &Subject, values: &[Scalar]) -> Value {
    let (texts, others): (Vec<_>, Vec<_>) = values.iter().partition(|value| matches!(value, Scalar::String(_)));
    let texts = (!texts.is_empty()).then(|| operation("in", [subject.value(), json!(texts)]));
    any(texts.into_iter().chain(others.into_iter().map(|other| equals(subject, other))).collect())
}

/// `merge` makes a list of anything, so that a list can be searched without knowing whether it is one.
fn contains(subject: &Subject, scalar: &Scalar) -> Value {
    let items = operation("merge", [subject.value()]);
    match scalar {
        Scalar::String(text) => any(vec![
            all(vec![subject.is_text(), operation("in", [json!(text), subject.value()])]),
            operation("in", [json!(text), items]),
        ]),
        Scalar::Number(_) | Scalar::Boolean(_) => {
            let alone = equals(subject, scalar);
            all(vec![not(alone), operation("some", [items, equals(&Subject::item(), scalar)])])
        }
    }
}
