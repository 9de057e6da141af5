//! A record of any kind in its wire form.

use serde_json::value::RawValue;

/// The wire form of a record: `{"kind": "policy", "key": "…", "record": {…}}`.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct RawRecord {
    /// Its kind: `policy`, `checkpoint`, …
    pub kind: String,
    /// Its key as text.
    pub key: String,
    /// The record's JSON, not parsed.
    pub record: Box<RawValue>,
}
