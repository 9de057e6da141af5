//! Bodies of `drills`: reports of rehearsed rollbacks.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Members;
use crate::drill::{Drill, DrillStore, DrillVerdict};
use crate::limits;
use crate::reader::{Read, Reader};
use crate::revision::Revision;

/// The body of `POST drills`: the report of a drill.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DrillRequest {
    /// The scenario's name.
    pub scenario: String,
    /// The kind of store on which it ran.
    pub store: DrillStore,
    /// The environment and revision that it rehearsed on, in words.
    pub fork: String,
    /// How many applications took part.
    pub applications: u64,
    /// The verdicts, in order; the drill passed if all of them did.
    pub verdicts: Vec<DrillVerdict>,
    /// Figures to compare with other runs, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, f64>,
}

/// The response to `POST drills`: the saved report.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DrillRecorded {
    /// The saved report.
    #[serde(flatten)]
    pub drill: Drill,
    /// Always `null`: reports are records.
    pub revision: Option<Revision>,
}

impl Members for DrillRequest {
    const WHAT: &'static str = "the report of a drill";
    const KNOWN: &'static [&'static str] = &["scenario", "store", "fork", "applications", "verdicts", "figures"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let scenario = reader.required(map, "scenario", "the name of the scenario", Reader::line);
        let store = reader.required(map, "store", "\"embedded\" or \"redis\"", Reader::parsed);
        let fork = reader.required(map, "fork", "what was rehearsed on, in words", Reader::line);
        let applications = reader.required(map, "applications", "a number", |reader, value| match value.as_u64() {
            Some(number) => Ok(number),
            None => reader.refuse(format!("must be a whole number, not {value}")),
        });
        let verdicts = reader.required(map, "verdicts", "a list of verdicts", |reader, value| {
            let verdicts = reader.items(value, limits::DRILL_VERDICTS, verdict)?;
            if verdicts.is_empty() {
                return reader.refuse("is empty; a drill has at least one verdict");
            }
            Ok(verdicts)
        });
        let figures = reader.optional(map, "figures", figures);
        Ok(Self {
            scenario: scenario?,
            store: store?,
            fork: fork?,
            applications: applications?,
            verdicts: verdicts?,
            figures: figures.unwrap_or_default(),
        })
    }
}

fn verdict(reader: &mut Reader, value: &Value) -> Read<DrillVerdict> {
    let map = reader.object(value)?;
    reader.members(map, "a verdict", &["check", "name", "passed", "detail"], &[]);
    let name = reader.required(map, "name", "what must hold, as a sentence", Reader::line);
    let passed = reader.required(map, "passed", "true or false", Reader::boolean);
    let detail = reader.required(map, "detail", "what was seen", Reader::line);
    let check = reader.optional(map, "check", Reader::line);
    Ok(DrillVerdict {
        check: check.unwrap_or_default(),
        name: name?,
        passed: passed?,
        detail: detail?,
    })
}

fn figures(reader: &mut Reader, value: &Value) -> Read<BTreeMap<String, f64>> {
    let map = reader.object(value)?;
    if map.len() > limits::DRILL_FIGURES {
        return reader.refuse(format!("has {} members; at most {} are allowed", map.len(), limits::DRILL_FIGURES));
    }
    let figure = |reader: &mut Reader, value: &Value| Ok(reader.number(value)?.as_f64().unwrap_or_default());
    let read: Vec<_> = map
        .iter()
        .map(|(name, value)| reader.within(name, |reader| Ok((name.clone(), figure(reader, value)?))))
        .collect();
    read.into_iter().collect()
}
