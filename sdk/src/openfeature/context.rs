//! Converts OpenFeature's evaluation context to attributes.

use open_feature::{EvaluationContext, EvaluationContextFieldValue};
use serde_json::{Map, Value};

/// The attributes. A structure is kept if it is JSON ([`serde_json::Value`] or a map of it). A time is written as RFC 3339.
pub(super) fn members(context: &EvaluationContext) -> Map<String, Value> {
    let own = context.custom_fields.iter().filter_map(|(name, value)| Some((name.clone(), value_of(value)?)));
    let key = context.targeting_key.iter().map(|key| ("targetingKey".to_owned(), Value::from(key.as_str())));
    own.chain(key).collect()
}

fn value_of(value: &EvaluationContextFieldValue) -> Option<Value> {
    match value {
        EvaluationContextFieldValue::Bool(boolean) => Some(Value::Bool(*boolean)),
        EvaluationContextFieldValue::Int(number) => Some(Value::from(*number)),
        EvaluationContextFieldValue::Float(number) => serde_json::Number::from_f64(*number).map(Value::Number),
        EvaluationContextFieldValue::String(text) => Some(Value::from(text.as_str())),
        EvaluationContextFieldValue::DateTime(time) => {
            let instant = jiff::Timestamp::from_nanosecond(time.unix_timestamp_nanos()).ok()?;
            Some(Value::from(instant.to_string()))
        }
        EvaluationContextFieldValue::Struct(any) => {
            let map = || any.downcast_ref::<Map<String, Value>>().cloned().map(Value::Object);
            any.downcast_ref::<Value>().cloned().or_else(map)
        }
    }
}
