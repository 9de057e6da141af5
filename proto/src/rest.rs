//! Bodies of the REST API that are not one of the other types of this crate, one file per resource.
//!
//! A request body is a [`Request`]. It is read strictly and reports all problems at once; an unknown member is refused with the
//! most similar known name. A response body is plain serde on both sides, so that a client can use the same types. Unknown
//! members of a response are skipped, so that an older client works with a newer server.

pub mod checkpoints;
pub mod commits;
pub mod connections;
pub mod drills;
pub mod environments;
pub mod explain;
pub mod flags;
pub mod health;
pub mod keys;
pub mod kills;
pub mod list;
pub mod log;
pub mod outcomes;
pub mod pings;
pub mod plan;
pub mod policy;
pub mod releases;
pub mod responses;
pub mod rollback_acts;
pub mod rollbacks;
pub mod rollouts;
pub mod segments;
pub mod sets;
pub mod settings;
pub mod stale_flags;
#[cfg(test)]
mod tests;
pub mod triggers;
pub mod wait;

use serde_json::Value;

use crate::flag::Flag;
use crate::reader::{self, Read, Reader};
use crate::segment::Segment;
use crate::validation::ValidationErrors;
use crate::visible::one_line;

/// The body of a request.
pub trait Request: Sized {
    /// Reads the JSON form and reports every problem.
    fn from_value(value: &Value) -> Result<Self, ValidationErrors>;
}

impl Request for Flag {
    fn from_value(value: &Value) -> Result<Self, ValidationErrors> {
        Self::from_value(value)
    }
}

impl Request for Segment {
    fn from_value(value: &Value) -> Result<Self, ValidationErrors> {
        Self::from_value(value)
    }
}

impl Request for crate::rollout::RolloutPlan {
    fn from_value(value: &Value) -> Result<Self, ValidationErrors> {
        Self::from_value(value)
    }
}

impl Request for crate::outcome::OutcomeBatch {
    fn from_value(value: &Value) -> Result<Self, ValidationErrors> {
        let batch: Self = serde_json::from_value(value.clone()).map_err(|error| ValidationErrors::one("", error.to_string()))?;
        batch.check()
    }
}

/// Reads JSON text. A duplicate member is refused, and a syntax error is reported with line and
/// column.
pub fn parse_json(text: &str) -> Result<Value, ValidationErrors> {
    crate::json::parse(text)
}

/// A request that is an object with known members.
trait Members: Sized {
    /// Its name in error messages.
    const WHAT: &'static str;
    /// The names of its members.
    const KNOWN: &'static [&'static str];
    fn read(reader: &mut Reader, map: &serde_json::Map<String, Value>) -> Read<Self>;

    fn read_object(reader: &mut Reader, value: &Value) -> Read<Self> {
        let map = reader.object(value)?;
        reader.members(map, Self::WHAT, Self::KNOWN, &[]);
        Self::read(reader, map)
    }
}

impl<T: Members> Request for T {
    fn from_value(value: &Value) -> Result<Self, ValidationErrors> {
        reader::read(value, Self::read_object)
    }
}

/// Reads an optional reason, which must not be empty.
fn reason(reader: &mut Reader, map: &serde_json::Map<String, Value>) -> Option<String> {
    let text = reader.optional(map, "reason", Reader::prose)?;
    let text = one_line(&text);
    if text.is_empty() {
        reader.within("reason", |reader| reader.note("is empty; give a reason, or leave it out"));
        return None;
    }
    Some(text)
}

/// Reads a whole number of seconds.
fn seconds(reader: &mut Reader, value: &Value, least: u64, most: u64) -> Read<u64> {
    match value.as_u64().filter(|seconds| (least..=most).contains(seconds)) {
        Some(seconds) => Ok(seconds),
        None => reader.refuse(format!("must be a whole number of seconds from {least} to {most}, not {value}")),
    }
}
