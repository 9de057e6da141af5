//! `{"$ref": NAME}` within a rule: it is replaced by the evaluator of that name.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// The evaluators of a document, each with its size in bytes.
pub(super) struct Evaluators(HashMap<String, (Value, usize)>);

impl Evaluators {
    pub(super) fn new(value: Option<&Value>) -> Self {
        let members = value.and_then(Value::as_object);
        let entry = |(name, rule): (&String, &Value)| (name.clone(), (rule.clone(), rule.to_string().len()));
        Self(members.into_iter().flatten().map(entry).collect())
    }

    /// The rule with its references replaced once: references within evaluators are not replaced. `None` if that would
    /// take more than `most` bytes. An unknown name stays too, as an unknown operator.
    pub(super) fn resolve(&self, rule: &Value, most: usize) -> Option<Value> {
        let mut left = most;
        self.replace(rule, &mut left)
    }

    fn replace(&self, rule: &Value, left: &mut usize) -> Option<Value> {
        if let Some((evaluator, bytes)) = referred(rule).and_then(|name| self.0.get(name)) {
            *left = left.checked_sub(*bytes)?;
            return Some(evaluator.clone());
        }
        *left = left.checked_sub(1)?;
        Some(match rule {
            Value::Array(items) => Value::Array(items.iter().map(|item| self.replace(item, left)).collect::<Option<_>>()?),
            Value::Object(members) => {
                let replaced = members.iter().map(|(name, member)| Some((name.clone(), self.replace(member, left)?)));
                Value::Object(replaced.collect::<Option<Map<_, _>>>()?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => rule.clone(),
        })
    }
}

/// The name in exactly `{"$ref": NAME}`.
fn referred(rule: &Value) -> Option<&str> {
    let members = rule.as_object().filter(|members| members.len() == 1)?;
    members.get("$ref")?.as_str()
}
