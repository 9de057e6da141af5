//! JSON from and to protobuf's `Struct`. Its numbers are doubles; integers are converted back.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value as Wire};
use serde_json::{Map, Number, Value};

/// The largest integer that a double holds exactly.
const WHOLE: f64 = 9_007_199_254_740_991.0;

/// A message as JSON.
pub(super) fn read(message: &Struct) -> Map<String, Value> {
    message.fields.iter().map(|(name, value)| (name.clone(), read_value(value))).collect()
}

fn read_value(value: &Wire) -> Value {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(boolean)) => Value::Bool(*boolean),
        Some(Kind::StringValue(text)) => Value::String(text.clone()),
        Some(Kind::NumberValue(number)) => read_number(*number),
        Some(Kind::ListValue(list)) => Value::Array(list.values.iter().map(read_value).collect()),
        Some(Kind::StructValue(members)) => Value::Object(read(members)),
    }
}

fn read_number(number: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
    if number.fract() == 0.0 && number.abs() <= WHOLE {
        return Value::Number((number as i64).into());
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// Members as a message.
pub(super) fn write<'m>(members: impl IntoIterator<Item = (&'m str, Value)>) -> Struct {
    Struct {
        fields: members.into_iter().map(|(name, value)| (name.to_owned(), write_value(value))).collect(),
    }
}

/// An object as a message.
pub(super) fn write_object(members: &Map<String, Value>) -> Struct {
    write(members.iter().map(|(name, value)| (name.as_str(), value.clone())))
}

fn write_value(value: Value) -> Wire {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(boolean) => Kind::BoolValue(boolean),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::StringValue(text),
        Value::Array(items) => Kind::ListValue(ListValue {
            values: items.into_iter().map(write_value).collect(),
        }),
        Value::Object(members) => Kind::StructValue(write_object(&members)),
    };
    Wire { kind: Some(kind) }
}
