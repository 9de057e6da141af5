//! `rollbacks/{id}/resume`, `undo` and `review`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Members;
use crate::digest::Digest;
use crate::key::FlagKey;
use crate::limits;
use crate::reader::{Read, Reader};
use crate::rollback::RollbackOptions;

/// The body of `POST rollbacks/{id}/resume`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResumeRequest {
    /// Whether all steps that are left are made at once.
    pub now: bool,
    /// The reason, recorded in the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `POST rollbacks/{id}/undo` and `POST rollbacks/{id}/undo/plan`: the way forward again, under the same guards.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UndoRequest {
    /// What it may do beyond its scope.
    #[serde(flatten)]
    pub latitude: RollbackOptions,
    /// Flags whose one-way door it passes knowingly.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub acknowledge_one_way: BTreeSet<FlagKey>,
    /// The hash of the plan that must still hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub plan: Option<Digest>,
    /// The reason, recorded in the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
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
    const KNOWN: &'static [&'static str] = &[
        "include_conflicts",
        "with_segments",
        "allow_killed_edit",
        "acknowledge_one_way",
        "plan",
        "reason",
    ];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let latitude = RollbackOptions {
            include_conflicts: reader.optional(map, "include_conflicts", Reader::boolean).unwrap_or_default(),
            with_segments: reader.optional(map, "with_segments", Reader::boolean).unwrap_or_default(),
            allow_killed_edit: reader.optional(map, "allow_killed_edit", Reader::boolean).unwrap_or_default(),
        };
        let acknowledged = reader.optional(map, "acknowledge_one_way", |reader, value| reader.items(value, limits::FLAGS, Reader::parsed));
        let plan = reader.optional(map, "plan", |reader, value| {
            let text = reader.text(value)?;
            let wrong = |_| reader.refuse("is not a plan hash; use the `hash` that `undo/plan` returned");
            text.parse().or_else(wrong)
        });
        Ok(Self {
            latitude,
            acknowledge_one_way: acknowledged.unwrap_or_default().into_iter().collect(),
            plan,
            reason: super::reason(reader, map),
        })
    }
}

impl Members for ReviewRequest {
    const WHAT: &'static str = "a review";
    const KNOWN: &'static [&'static str] = &["note"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let note = reader.required(map, "note", "a text that says what was found", |reader, value| {
            let note = reader.prose(value)?;
            if note.trim().is_empty() {
                return reader.refuse("is empty; describe what was found");
            }
            Ok(note.trim().to_owned())
        });
        Ok(Self { note: note? })
    }
}
