//! JSON → triggers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{ActivePeriod, FlagSelection, GateFilter, SignalConditions, SignalSource, TrafficFilter, TriggerAction, TriggerRollback, TriggerRollbackScope};
use crate::check::BodyCheck;
use crate::limits;
use crate::reader::{Read, Reader};

const SOURCES: &str = "\"alertmanager\", \"pagerduty\", {\"json\": {\"pointer\": \"/error_rate\", \"above\": 0.05}} or {\"gate\": {}}";
const ACTIONS: &str = "{\"hold\": {}}, {\"rollback\": {\"scope\": \"open_release\"}} or {\"kill\": {\"flags\": [\"checkout\"]}}";
const SCOPES: &str = "\"open_release\", \"environment\", {\"release\": \"web-12\"} or {\"flags\": [\"checkout\"]}";

impl SignalSource {
    pub(crate) fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        match value.as_str() {
            Some("alertmanager") => return Ok(Self::Alertmanager),
            Some("pagerduty") => return Ok(Self::Pagerduty),
            Some("gate") => return Ok(Self::Gate(GateFilter::default())),
            Some(_) | None => {}
        }
        match only_member(value) {
            Some(("json", value)) => reader.within("json", |reader| BodyCheck::read_alone(reader, value)).map(Self::Json),
            Some(("gate", value)) => reader.within("gate", |reader| gate(reader, value)).map(Self::Gate),
            Some(_) | None => reader.refuse(format!("must be {SOURCES}")),
        }
    }
}

fn gate(reader: &mut Reader, value: &Value) -> Read<GateFilter> {
    let map = reader.object(value)?;
    reader.members(map, "a gate", &["name", "flag"], &[]);
    Ok(GateFilter {
        name: reader.optional(map, "name", Reader::line),
        flag: reader.optional(map, "flag", Reader::parsed),
    })
}

impl TriggerAction {
    pub(crate) fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        if value.as_str() == Some("hold") {
            return Ok(Self::Hold(FlagSelection::default()));
        }
        match only_member(value) {
            Some(("hold", value)) => reader.within("hold", |reader| names(reader, value)).map(Self::Hold),
            Some(("kill", value)) => reader.within("kill", |reader| names(reader, value)).map(Self::Kill),
            Some(("rollback", value)) => reader.within("rollback", |reader| back(reader, value)).map(Self::Rollback),
            Some(_) | None => reader.refuse(format!("must be {ACTIONS}")),
        }
    }
}

fn names(reader: &mut Reader, value: &Value) -> Read<FlagSelection> {
    let map = reader.object(value)?;
    reader.members(map, "flags by name", &["flags"], &[]);
    let flags = reader.optional(map, "flags", |reader, value| reader.items(value, limits::TRIGGER_FLAGS, Reader::parsed));
    Ok(FlagSelection {
        flags: flags.unwrap_or_default().into_iter().collect(),
    })
}

fn back(reader: &mut Reader, value: &Value) -> Read<TriggerRollback> {
    let map = reader.object(value)?;
    reader.members(map, "a rollback", &["scope", "to"], &[]);
    let scope = reader.required(map, "scope", SCOPES, scope);
    let to = reader.optional(map, "to", |reader, value| match value.as_u64() {
        Some(revision) => Ok(crate::TargetName::Revision(crate::Revision(revision))),
        None => reader.parsed(value),
    });
    Ok(TriggerRollback { scope: scope?, to })
}

fn scope(reader: &mut Reader, value: &Value) -> Read<TriggerRollbackScope> {
    match value.as_str() {
        Some("open_release") => return Ok(TriggerRollbackScope::OpenRelease),
        Some("environment") => return Ok(TriggerRollbackScope::Environment),
        Some(_) | None => {}
    }
    match only_member(value) {
        Some(("release", value)) => reader.within("release", |reader| reader.parsed(value)).map(TriggerRollbackScope::Release),
        Some(("flags", value)) => reader.within("flags", |reader| {
            let flags: Vec<_> = reader.items(value, limits::TRIGGER_FLAGS, Reader::parsed)?;
            if flags.is_empty() {
                return reader.refuse("is empty; name at least one flag");
            }
            Ok(TriggerRollbackScope::Flags(flags.into_iter().collect()))
        }),
        Some(_) | None => reader.refuse(format!("must be {SCOPES}")),
    }
}

impl SignalConditions {
    pub(crate) fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        let map = reader.object(value)?;
        reader.members(map, "conditions", &["labels", "during", "about"], &[]);
        Ok(Self {
            labels: reader.optional(map, "labels", labels).unwrap_or_default(),
            during: reader.optional(map, "during", Reader::parsed::<ActivePeriod>).unwrap_or_default(),
            about: reader.optional(map, "about", Reader::parsed::<TrafficFilter>).unwrap_or_default(),
        })
    }
}

fn labels(reader: &mut Reader, value: &Value) -> Read<BTreeMap<String, BTreeSet<String>>> {
    let map = reader.object(value)?;
    if map.len() > limits::SIGNAL_LABELS {
        return reader.refuse(format!("has {} members; at most {} are allowed", map.len(), limits::SIGNAL_LABELS));
    }
    let read: Vec<_> = map
        .iter()
        .map(|(name, value)| reader.within(name, |reader| Ok((name.clone(), values(reader, value)?))))
        .collect();
    read.into_iter().collect()
}

/// One value, or a list of accepted values.
fn values(reader: &mut Reader, value: &Value) -> Read<BTreeSet<String>> {
    if !value.is_array() {
        return reader.prose(value).map(|text| BTreeSet::from([text]));
    }
    let values: Vec<_> = reader.items(value, limits::SIGNAL_LABELS, Reader::prose)?;
    if values.is_empty() {
        return reader.refuse("is empty; name at least one value");
    }
    Ok(values.into_iter().collect())
}

/// The only member of an object that has exactly one.
fn only_member(value: &Value) -> Option<(&str, &Value)> {
    let map: &Map<String, Value> = value.as_object()?;
    let mut members = map.iter();
    let (name, value) = members.next()?;
    members.next().is_none().then_some((name.as_str(), value))
}
