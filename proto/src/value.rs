//! Values: what a variant holds and what an attribute may be compared with.

/// The type of all variants of a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// A JSON number; its spelling is kept (`10` stays `10`, `10.0` stays `10.0`).
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

/// What an attribute is compared with: a string, a number or a boolean.
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
