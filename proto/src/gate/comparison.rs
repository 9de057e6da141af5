//! Gates on outcomes that applications report: errors, latencies and numbers, compared with the control or with a limit.
//!
//! ```text
//! outcome: error, worse_by: 0.5%                       errors, in percentage points above the control's
//! outcome: error, below: 2%                            errors, whatever the control has
//! outcome: latency, below: 300ms, worse_by: 1%         those who waited longer, in percentage points above the control's
//! outcome: latency, below: 300ms, share: 99%           as many as that must have waited less
//! outcome: number basket, worse: lower, worse_by: 5%   the mean, in percent of the control's; or a number of the same unit
//! outcome: number basket, above: 20                    the mean, whatever the control has
//! ```

use serde::Serialize;
use serde::ser::SerializeMap as _;
use serde_json::{Map, Value};

use super::percent::Percent;
use crate::duration::HumanDuration;
use crate::key::NumberName;
use crate::outcome::Traffic;
use crate::reader::{Read, Reader};

const DEADLINE: HumanDuration = HumanDuration::from_millis(3_600_000);
const CONFIDENCE: Percent = Percent::from_thousandths(95_000);
const MIN_SAMPLES: u64 = 500;
/// Default share that must be fast enough.
const SHARE: Percent = Percent::from_thousandths(99_000);
/// The prefix of a number's name.
const NUMBER: &str = "number ";

/// A comparison of outcomes, with its required confidence.
#[derive(Debug, Clone, PartialEq)]
pub struct OutcomeComparison {
    /// The outcome that is compared.
    pub outcome: OutcomeMeasure,
    /// What the outcome is compared with.
    pub against: ComparedTo,
    /// How confident the gate must be to fail: at 99 %, at most one in a hundred failures is a false alarm.
    pub confidence: Percent,
    /// Number of samples that each side needs for a verdict: evaluations, latencies or numbers.
    pub min_samples: u64,
    /// The kind of traffic whose outcomes count.
    pub traffic: Traffic,
    /// How long after the end of a hold a gate may lack samples before it counts as failed.
    pub deadline: HumanDuration,
}

/// An outcome that applications report.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeMeasure {
    /// The error rate: failures as a share of evaluations.
    Error,
    /// The share of reported latencies that reach or exceed this one.
    Latency(HumanDuration),
    /// The mean of a reported number.
    Number(NumberName, WorseDirection),
}

/// The direction in which a number gets worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorseDirection {
    /// Higher is worse.
    Higher,
    /// Lower is worse.
    Lower,
}

/// What the variant is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ComparedTo {
    /// The control; the variant may be worse by this much: for rates in percentage points, for numbers in percent of the
    /// control's mean or in the number's own unit.
    Control(Threshold),
    /// A fixed limit: a rate must not exceed it, and a number must not be on its worse side.
    Limit(Threshold),
}

/// A threshold.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Threshold {
    /// A percentage.
    Share(Percent),
    /// A number in its own unit.
    Number(f64),
}

impl std::fmt::Display for Threshold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Share(share) => share.fmt(f),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl Threshold {
    /// `"5%"`, or a number.
    pub(crate) fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        if value.is_number() {
            return reader.number(value).map(|number| Self::Number(number.as_f64().unwrap_or_default()));
        }
        Percent::read(reader, value).map(Self::Share)
    }
}

impl OutcomeComparison {
    /// The members of such a gate, besides those that all gates have.
    pub(super) const MEMBERS: [&'static str; 11] = [
        "outcome",
        "compare",
        "below",
        "above",
        "share",
        "worse",
        "worse_by",
        "confidence",
        "min_samples",
        "traffic",
        "deadline",
    ];

    pub(super) fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let measured = reader
            .required(map, "outcome", "\"error\", \"latency\" or \"number NAME\"", kind)
            .and_then(|kind| match kind {
                Kind::Error => errors(reader, map),
                Kind::Latency => latency(reader, map),
                Kind::Number(name) => number(reader, map, name),
            });
        reader.optional(map, "compare", |reader, value| match value.as_str() {
            Some("control") => Ok(()),
            _ => reader.refuse(format!("must be \"control\", not {value}; leave it out if there is a limit")),
        });
        let confidence = reader.optional(map, "confidence", |reader, value| {
            let confidence = Percent::read(reader, value)?;
            if (50_000..100_000).contains(&confidence.thousandths()) {
                return Ok(confidence);
            }
            reader.refuse(format!("is {confidence}; it must be from 50% to 99.999%"))
        });
        let min_samples = reader.optional(map, "min_samples", |reader, value| {
            match value.as_u64().filter(|samples| (1..=1_000_000_000).contains(samples)) {
                Some(samples) => Ok(samples),
                None => reader.refuse(format!("must be a whole number from 1 to 1,000,000,000, not {value}")),
            }
        });
        let traffic = reader.optional(map, "traffic", |reader, value| match value.as_str() {
            Some("real") => Ok(Traffic::Real),
            Some("synthetic") => Ok(Traffic::Synthetic),
            _ => reader.refuse(format!("must be \"real\" or \"synthetic\", not {value}")),
        });
        let deadline = reader.optional(map, "deadline", Reader::parsed);
        let (outcome, against) = measured?;
        if map.contains_key("compare") && matches!(against, ComparedTo::Limit(_)) {
            reader.within("compare", |reader| {
                reader.note("is only for gates with \"worse_by\"; this one has a fixed limit and needs no control");
            });
        }
        Ok(Self {
            outcome,
            against,
            confidence: confidence.unwrap_or(CONFIDENCE),
            min_samples: min_samples.unwrap_or(MIN_SAMPLES),
            traffic: traffic.unwrap_or_default(),
            deadline: deadline.unwrap_or(DEADLINE),
        })
    }
}

enum Kind {
    Error,
    Latency,
    Number(NumberName),
}

fn kind(reader: &mut Reader, value: &Value) -> Read<Kind> {
    match value.as_str() {
        Some("error") => Ok(Kind::Error),
        Some("latency") => Ok(Kind::Latency),
        Some(text) if text.starts_with(NUMBER) => {
            let name = text.trim_start_matches(NUMBER).trim();
            name.parse().map(Kind::Number).or_else(|faults| reader.refuse_all(faults))
        }
        Some(_) | None => reader.refuse(format!("must be \"error\", \"latency\" or \"number NAME\", not {value}")),
    }
}

/// `worse_by` in percentage points, if it is set.
fn points(reader: &mut Reader, map: &Map<String, Value>) -> Option<Read<ComparedTo>> {
    let value = map.get("worse_by")?;
    Some(
        reader
            .within("worse_by", |reader| Percent::read(reader, value))
            .map(|points| ComparedTo::Control(Threshold::Share(points))),
    )
}

fn unfit(reader: &mut Reader, map: &Map<String, Value>, names: &[&str], why: &str) {
    for name in names.iter().filter(|name| map.contains_key(**name)) {
        reader.within(name, |reader| reader.note(why));
    }
}

fn errors(reader: &mut Reader, map: &Map<String, Value>) -> Read<(OutcomeMeasure, ComparedTo)> {
    unfit(
        reader,
        map,
        &["above", "share", "worse"],
        "is for latencies and numbers; errors have \"worse_by\" or \"below\"",
    );
    let limit = reader
        .optional(map, "below", Percent::read)
        .map(|limit| ComparedTo::Limit(Threshold::Share(limit)));
    let against = match (points(reader, map), map.contains_key("below")) {
        (Some(points), false) => points?,
        (None, true) => match limit {
            Some(limit) => limit,
            None => return reader.refuse("cannot be read"),
        },
        (Some(_), true) => return reader.refuse("has both \"worse_by\" and \"below\"; split it into two gates"),
        (None, false) => {
            return reader.refuse("has no limit for errors; add \"worse_by\" (percentage points above the control) or \"below\"");
        }
    };
    Ok((OutcomeMeasure::Error, against))
}

fn latency(reader: &mut Reader, map: &Map<String, Value>) -> Read<(OutcomeMeasure, ComparedTo)> {
    unfit(reader, map, &["above", "worse"], "is for numbers; latencies have \"below\"");
    let below = reader.required(map, "below", "what is fast enough, such as \"300ms\"", Reader::parsed::<HumanDuration>);
    let share = reader.optional(map, "share", Percent::read);
    let against = match points(reader, map) {
        Some(_) if map.contains_key("share") => return reader.refuse("has both \"worse_by\" and \"share\"; split it into two gates"),
        Some(points) => points?,
        None => {
            let slow = 100_000 - share.unwrap_or(SHARE).thousandths();
            ComparedTo::Limit(Threshold::Share(Percent::from_thousandths(slow)))
        }
    };
    Ok((OutcomeMeasure::Latency(below?), against))
}

fn number(reader: &mut Reader, map: &Map<String, Value>, name: NumberName) -> Read<(OutcomeMeasure, ComparedTo)> {
    unfit(reader, map, &["share"], "is for latencies; numbers have \"worse_by\", \"below\" or \"above\"");
    let unit = |reader: &mut Reader, value: &Value| reader.number(value).map(|number| number.as_f64().unwrap_or_default());
    let worse = reader.optional(map, "worse", |reader, value| match value.as_str() {
        Some("higher") => Ok(WorseDirection::Higher),
        Some("lower") => Ok(WorseDirection::Lower),
        _ => reader.refuse(format!("must be \"higher\" or \"lower\", not {value}")),
    });
    let worse_by = reader.optional(map, "worse_by", Threshold::read);
    let (below, above) = (reader.optional(map, "below", unit), reader.optional(map, "above", unit));
    match (worse_by, below, above) {
        (Some(worse_by), None, None) => match worse {
            Some(worse) => Ok((OutcomeMeasure::Number(name, worse), ComparedTo::Control(worse_by))),
            None => reader.refuse("does not say which direction is worse; add \"worse\": \"higher\" or \"lower\""),
        },
        (None, Some(most), None) => Ok((OutcomeMeasure::Number(name, WorseDirection::Higher), ComparedTo::Limit(Threshold::Number(most)))),
        (None, None, Some(least)) => Ok((OutcomeMeasure::Number(name, WorseDirection::Lower), ComparedTo::Limit(Threshold::Number(least)))),
        (None, None, None) => reader.refuse("has no limit; add \"worse_by\", \"below\" or \"above\""),
        (_, _, _) => reader.refuse("has more than one of \"worse_by\", \"below\" and \"above\"; split it into several gates"),
    }
}

impl Serialize for OutcomeComparison {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.outcome {
            OutcomeMeasure::Error => map.serialize_entry("outcome", "error")?,
            OutcomeMeasure::Latency(below) => {
                map.serialize_entry("outcome", "latency")?;
                map.serialize_entry("below", below)?;
            }
            OutcomeMeasure::Number(name, worse) => {
                map.serialize_entry("outcome", &format!("{NUMBER}{name}"))?;
                if matches!(self.against, ComparedTo::Control(_)) {
                    map.serialize_entry("worse", worse)?;
                }
            }
        }
        match (&self.outcome, self.against) {
            (_, ComparedTo::Control(worse_by)) => {
                map.serialize_entry("compare", "control")?;
                map.serialize_entry("worse_by", &worse_by)?;
            }
            (OutcomeMeasure::Latency(_), ComparedTo::Limit(Threshold::Share(slow))) => {
                map.serialize_entry("share", &Percent::from_thousandths(100_000 - slow.thousandths()))?;
            }
            (OutcomeMeasure::Number(_, WorseDirection::Lower), ComparedTo::Limit(limit)) => map.serialize_entry("above", &limit)?,
            (OutcomeMeasure::Error | OutcomeMeasure::Latency(_) | OutcomeMeasure::Number(_, WorseDirection::Higher), ComparedTo::Limit(limit)) => {
                map.serialize_entry("below", &limit)?;
            }
        }
        map.serialize_entry("confidence", &self.confidence)?;
        map.serialize_entry("min_samples", &self.min_samples)?;
        map.serialize_entry("traffic", &self.traffic)?;
        map.serialize_entry("deadline", &self.deadline)?;
        map.end()
    }
}
