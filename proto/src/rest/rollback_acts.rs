//! `rollbacks/{id}/resume`, `undo` and `review`.

use serde_json::{Map, Value};

use super::Members;
use super::rollbacks::ExecutionOptions;
use crate::reader::{Read, Reader};

/// The body of `POST rollbacks/{id}/resume`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResumeRequest {
    /// Whether to finish at once instead of step by step.
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub now: bool,
    /// The reason, recorded in the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The body of `POST rollbacks/{id}/undo` and `POST rollbacks/{id}/undo/plan`, which restore what a rollback changed, under the same guards.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UndoRequest {
    /// The plan, the acknowledgements and the reason.
    #[serde(flatten)]
    pub execution: ExecutionOptions,
}

/// The body of `POST rollbacks/{id}/review`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReviewRequest {
    /// What the review found.
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

impl Members for UndoRequest {
    const WHAT: &'static str = "this request";
    const KNOWN: &'static [&'static str] = ExecutionOptions::KNOWN;

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        Ok(Self {
            execution: ExecutionOptions::read(reader, map),
        })
    }
}

impl Members for ReviewRequest {
    const WHAT: &'static str = "a review";
    const KNOWN: &'static [&'static str] = &["note"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let note = reader.required(map, "note", "a text that says what was found", |reader, value| {
            let note = reader.line(value)?;
            if note.trim().is_empty() {
                return reader.refuse("is empty; describe what was found");
            }
            Ok(note.trim().to_owned())
        });
        Ok(Self { note: note? })
    }
}
