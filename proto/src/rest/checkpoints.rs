//! `checkpoints` and `checkpoints/{name}`.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Members;
use crate::checkpoint::{Checkpoint, CheckpointState};
use crate::key::{CheckpointName, ReleaseName};
use crate::limits;
use crate::reader::{self, Read, Reader};
use crate::revision::Position;

/// The body of `POST checkpoints`, which names the current state.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckpointRequest {
    /// The checkpoint's name, unique within its environment.
    pub name: CheckpointName,
    /// A note for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The reason, added to the default reason of the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The body of `POST checkpoints/{name}/vouch`, which marks the checkpoint known-good.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VouchRequest {
    /// The evidence, in words.
    pub evidence: String,
    /// Figures that support it: `{"error_rate": 0.002}`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub figures: Map<String, Value>,
}

/// The body of `POST checkpoints/{name}/doubt`, which marks the checkpoint as doubted. The body may be omitted.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DoubtRequest {
    /// Why the checkpoint is doubted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A checkpoint: an item of `GET checkpoints`, and the response to a change of one.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckpointView {
    /// The checkpoint; `epoch`, `revision` and `sequence` say where it points to.
    #[serde(flatten)]
    pub checkpoint: Checkpoint,
    /// The current state of the checkpoint.
    pub standing: CheckpointState,
    /// Whether `last-known-good` currently refers to it.
    pub last_known_good: bool,
    /// Releases whose baseline it is. It cannot be deleted while there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baseline_of: Vec<ReleaseName>,
}

/// The response to `GET checkpoints/{name}`: a checkpoint whose state was read from the log.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckpointDetail {
    /// The checkpoint and its state.
    #[serde(flatten)]
    pub view: CheckpointView,
    /// Whether the state in the log has the hash that the checkpoint was created with.
    pub proven: bool,
    /// How much the environment has changed since then.
    pub moved: StateDrift,
    /// The complete state with `?state=true`: settings, flags, segments and kills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub state: Option<Box<RawValue>>,
}

/// How much an environment differs from an earlier state.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StateDrift {
    /// The current position.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "1:57"))]
    pub now: Position,
    /// Number of revisions since that state.
    pub revisions: u64,
    /// Number of flags that differ, including new and deleted ones.
    pub flags: usize,
    /// Number of segments that differ.
    pub segments: usize,
    /// Whether the settings differ.
    pub settings: bool,
}

impl Members for CheckpointRequest {
    const WHAT: &'static str = "a checkpoint";
    const KNOWN: &'static [&'static str] = &["name", "note", "reason"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let name = reader.required(map, "name", "a name such as \"before-web-12\"", Reader::parsed);
        let note = reader.optional(map, "note", Reader::line);
        let reason = super::reason(reader, map);
        Ok(Self { name: name?, note, reason })
    }
}

impl Members for VouchRequest {
    const WHAT: &'static str = "a vouch";
    const KNOWN: &'static [&'static str] = &["evidence", "figures"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let evidence = reader.required(map, "evidence", "a text that says how you know that the state is good", |reader, value| {
            let text = reader.line(value)?;
            if text.is_empty() {
                return reader.refuse("is empty; describe what you saw, for example \"an hour at 100% without an error\"");
            }
            Ok(text)
        });
        let figures = reader.optional(map, "figures", figures).unwrap_or_default();
        Ok(Self { evidence: evidence?, figures })
    }
}

/// Reads an object of numbers, strings and booleans.
fn figures(reader: &mut Reader, value: &Value) -> Read<Map<String, Value>> {
    let map = reader.object(value)?;
    if map.len() > limits::FIGURES {
        return reader.refuse(format!("has {} figures; at most {} are allowed", map.len(), limits::FIGURES));
    }
    let mut read = Vec::new();
    for (name, value) in map {
        read.push(reader.within(name, |reader| match value {
            Value::Number(_) => reader.number(value).map(drop),
            Value::String(_) => reader.prose(value).map(drop),
            Value::Bool(_) => Ok(()),
            Value::Null | Value::Array(_) | Value::Object(_) => reader.refuse(format!("must be a number, a string or a boolean, not {}", reader::kind(value))),
        }));
    }
    read.into_iter().collect::<Read<()>>()?;
    Ok(map.clone())
}

impl Members for DoubtRequest {
    const WHAT: &'static str = "a doubt";
    const KNOWN: &'static [&'static str] = &["reason"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        Ok(Self {
            reason: super::reason(reader, map),
        })
    }
}
