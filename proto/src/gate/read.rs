//! JSON → gates.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Gate, GateMode, Measure, OnFail, OutcomeComparison, Percent, PrometheusQuery};
use crate::check::Check;
use crate::duration::HumanDuration;
use crate::limits;
use crate::reader::{self, Read, Reader};
use crate::split;

const EVERY: HumanDuration = HumanDuration::from_millis(1_000);
const EVERY_PROMETHEUS: HumanDuration = HumanDuration::from_millis(10_000);
const FASTEST: HumanDuration = HumanDuration::from_millis(100);
const SHARED: [&str; 4] = ["name", "on_fail", "every", "dry_run"];
const OF_PROMETHEUS: [&str; 5] = ["prometheus", "url", "below", "above", "for"];
const OF_PROBE: [&str; 1] = ["probe"];

impl Gate {
    /// Reads a list of gates, names unique.
    pub(crate) fn read_all(reader: &mut Reader, value: &Value) -> Read<Vec<Self>> {
        let gates = reader.items(value, limits::GATES, Self::read)?;
        let mut names = BTreeSet::new();
        match gates.iter().find(|gate| !names.insert(gate.name.as_str())) {
            None => Ok(gates),
            Some(repeated) => {
                let problem = format!("{:?} is the name of two gates; names are unique", repeated.name);
                reader.refuse(problem)
            }
        }
    }

    fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        let map = reader.object(value)?;
        let (own, fastest): (&[&str], HumanDuration) = match map {
            map if map.contains_key("outcome") => (&OutcomeComparison::MEMBERS, EVERY),
            map if map.contains_key("prometheus") => (&OF_PROMETHEUS, EVERY_PROMETHEUS),
            map if map.contains_key("probe") => (&OF_PROBE, EVERY),
            _ => return reader.refuse("does not say what it measures; add \"outcome\", \"prometheus\" or \"probe\""),
        };
        let known: Vec<&str> = SHARED.iter().chain(own).copied().collect();
        reader.members(map, "such a gate", &known, &[]);
        let name = reader.required(map, "name", "a short name", Reader::line);
        let on_fail = reader.required(map, "on_fail", "\"hold\" or \"rollback\"", on_fail);
        let every = reader.optional(map, "every", |reader, value| {
            let every: HumanDuration = reader.parsed(value)?;
            if every < FASTEST {
                return reader.refuse(format!("is {every}; the shortest interval is {FASTEST}"));
            }
            Ok(every)
        });
        let dry_run = reader.optional(map, "dry_run", Reader::boolean).unwrap_or_default();
        let measure = Measure::read(reader, map)?;
        Ok(Self {
            name: name?,
            measure,
            on_fail: on_fail?,
            every: every.unwrap_or(fastest),
            mode: if dry_run { GateMode::DryRun } else { GateMode::Armed },
        })
    }
}

impl Measure {
    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        if map.contains_key("outcome") {
            return OutcomeComparison::read(reader, map).map(Self::Outcome);
        }
        if map.contains_key("prometheus") {
            return PrometheusQuery::read(reader, map).map(Self::Prometheus);
        }
        let name = map.get("name").and_then(Value::as_str).unwrap_or("probe").to_owned();
        reader
            .required(map, "probe", "an object with \"url\"", |reader, value| probe(reader, value, &name))
            .map(|probe| Self::Probe { probe })
    }
}

impl PrometheusQuery {
    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let number = |reader: &mut Reader, value: &Value| reader.number(value).map(|number| number.as_f64().unwrap_or_default());
        let prometheus = reader.required(map, "prometheus", "a query", |reader, value| {
            let query = reader.prose(value)?;
            if query.trim().is_empty() {
                reader.refuse("is empty; it must be a query that returns one value")
            } else {
                Ok(query)
            }
        });
        let url = reader.optional(map, "url", crate::check::url);
        let below = reader.optional(map, "below", number);
        let above = reader.optional(map, "above", number);
        let lasting = reader.optional(map, "for", Reader::parsed);
        if !map.contains_key("below") && !map.contains_key("above") {
            return reader.refuse("has no limit for the value; add \"below\" or \"above\"");
        }
        Ok(Self {
            prometheus: prometheus?,
            url,
            below,
            above,
            lasting: lasting.unwrap_or_default(),
        })
    }
}

fn on_fail(reader: &mut Reader, value: &Value) -> Read<OnFail> {
    match value.as_str() {
        Some("hold") => Ok(OnFail::Hold),
        Some("rollback") => Ok(OnFail::Rollback),
        _ => reader.refuse(format!("must be \"hold\" or \"rollback\", not {value}")),
    }
}

impl Percent {
    /// `0.5%`.
    pub(crate) fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        match value.as_str().and_then(split::percent) {
            Some(thousandths) => Ok(Self::from_thousandths(thousandths)),
            None => reader.refuse(format!(
                "must be a percentage such as \"0.5%\", 0 to 100 with at most three decimals, not {} {value}",
                reader::kind(value)
            )),
        }
    }
}

/// A probe is a check with the gate's name. The gate determines when it runs.
fn probe(reader: &mut Reader, value: &Value, name: &str) -> Read<Check> {
    const MEMBERS: [&str; 7] = ["url", "expect", "pointer", "equals", "below", "above", "timeout_ms"];
    let map = reader.object(value)?;
    reader.members(map, "a probe", &MEMBERS, &[]);
    let mut whole: Map<String, Value> = map
        .iter()
        .filter(|(name, _)| MEMBERS.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    whole.insert("name".to_owned(), json!(name));
    Check::read(reader, &Value::Object(whole))
}
