//! `rollbacks/{id}/resume` and `rollbacks/{id}/review`.

use serde_json::{Map, Value};

use super::Members;
use crate::reader::{Read, Reader};

/// `POST rollbacks/{id}/resume`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResumeRequest {
    /// Whether all steps that are left are made at once.
    pub now: bool,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `POST rollbacks/{id}/review`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReviewRequest {
    /// What was found.
    pub note: String,
}

impl Members for ResumeRequest {
    const WHAT: &'static str = "this request";
    const KNOWN: &'static [&'static str] = &["now", "reason"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let now = reader.optional(map, "now", Reader::boolean).unwrap_or_default();
        let reason = super::reason(reader, map);
        Ok(Self { now, reason })
    }
}

impl Members for ReviewRequest {
    const WHAT: &'static str = "a review";
    const KNOWN: &'static [&'static str] = &["note"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let note = reader.required(map, "note", "a text that says what was found", |reader, value| {
            let note = reader.prose(value)?;
            if note.trim().is_empty() {
                return reader.refuse("is empty; say what was found");
            }
            Ok(note.trim().to_owned())
        });
        Ok(Self { note: note? })
    }
}
