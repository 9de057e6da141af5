//! Values of variants, and values that attributes are compared with.

use crate::limits;
use crate::reader::{self, Read, Reader};

/// The type of all variants of a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// A JSON number; its spelling is preserved (`10` stays `10`, `10.0` stays `10.0`).
    Number,
    /// A JSON object.
    Object,
}

/// The value of a variant: a boolean, a string, a number or a JSON object. Anything else is refused.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A boolean.
    Boolean(bool),
    /// A string.
    String(String),
    /// A number, spelled as it was given.
    Number(serde_json::Number),
    /// A JSON object.
    Object(serde_json::Map<String, serde_json::Value>),
}

/// A value that an attribute is compared with: a string, a number or a boolean.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Scalar {
    /// A boolean.
    Boolean(bool),
    /// A string.
    String(String),
    /// A number.
    Number(serde_json::Number),
}

impl Value {
    /// The type of the value.
    pub const fn value_type(&self) -> ValueType {
        match self {
            Self::Boolean(_) => ValueType::Boolean,
            Self::String(_) => ValueType::String,
            Self::Number(_) => ValueType::Number,
            Self::Object(_) => ValueType::Object,
        }
    }

    pub(crate) fn read(reader: &mut Reader, value: &serde_json::Value) -> Read<Self> {
        match value {
            serde_json::Value::Bool(boolean) => Ok(Self::Boolean(*boolean)),
            serde_json::Value::String(text) => Ok(Self::String(text.clone())),
            serde_json::Value::Number(_) => reader.number(value).map(Self::Number),
            serde_json::Value::Object(members) => {
                reader.any(value, limits::JSON_DEPTH)?;
                Ok(Self::Object(members.clone()))
            }
            serde_json::Value::Null | serde_json::Value::Array(_) => {
                reader.refuse(format!("must be a boolean, a string, a number or an object, not {}", reader::kind(value)))
            }
        }
    }
}

impl std::fmt::Display for ValueType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Number => "number",
            Self::Object => "object",
        })
    }
}

impl Scalar {
    pub(crate) fn read(reader: &mut Reader, value: &serde_json::Value) -> Read<Self> {
        match value {
            serde_json::Value::Bool(boolean) => Ok(Self::Boolean(*boolean)),
            serde_json::Value::String(text) => Ok(Self::String(text.clone())),
            serde_json::Value::Number(_) => reader.number(value).map(Self::Number),
            serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
                reader.refuse(format!("must be a boolean, a string or a number, not {}", reader::kind(value)))
            }
        }
    }
}
