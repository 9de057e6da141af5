//! What comes in: three kinds of payloads, and one thing that they say.

mod alertmanager;
mod json;
mod pagerduty;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use ripcord_proto::digest::Digest;
use ripcord_proto::trigger::{SignalConditions, SignalSource, TrafficFilter, Trigger};
use ripcord_proto::{FlagKey, ValidationErrors, limits, rest};
use serde_json::Value;

/// A signal that is about what its trigger asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signal {
    /// By what signals of one incident are told from others.
    pub(super) group: String,
    /// Whether it begins or ends.
    pub(super) phase: SignalPhase,
    /// When it began, or ended.
    pub(super) at: Timestamp,
    /// What it is labelled with.
    pub(super) labels: BTreeMap<String, String>,
    /// In short.
    pub(super) summary: String,
    /// The flag that it is about, where it says one.
    pub(super) flag: Option<FlagKey>,
}

/// Whether an incident begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalPhase {
    /// Something is wrong.
    Firing,
    /// It is over.
    Resolved,
}

/// What a payload says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ParsedPayload {
    /// This.
    Signal(Signal),
    /// Nothing to this trigger, and why.
    NoSignal(String),
}

/// Reads a payload of `trigger`. `told` is when it was sent, or came.
pub(super) fn read(trigger: &Trigger, payload: &Value, told: Timestamp) -> Result<ParsedPayload, ValidationErrors> {
    match &trigger.source {
        SignalSource::Alertmanager => alertmanager::read(payload, &trigger.conditions, told),
        SignalSource::Pagerduty => pagerduty::read(payload, &trigger.conditions, told),
        SignalSource::Json(check) => json::read(payload, check, &trigger.conditions, told),
        SignalSource::Gate(_) => Err(ValidationErrors::one("", "this trigger hears gates of rollouts and takes no payload")),
    }
}

/// JSON from bytes.
pub(super) fn parse(body: &[u8]) -> Result<Value, ValidationErrors> {
    let text = std::str::from_utf8(body).map_err(|error| ValidationErrors::one("", format!("is no UTF-8: byte {} does not belong", error.valid_up_to())))?;
    rest::parse_json(text)
}

/// Whether labels are as the conditions ask.
pub(super) fn check(conditions: &SignalConditions, labels: &BTreeMap<String, String>) -> Result<(), String> {
    for (name, values) in &conditions.labels {
        let wanted = || values.iter().map(String::as_str).collect::<Vec<_>>().join(" or ");
        match labels.get(name) {
            Some(value) if values.contains(value) => {}
            Some(value) => return Err(format!("its label {name} is {value:?}, not {}", wanted())),
            None => return Err(format!("it has no label {name}, which must be {}", wanted())),
        }
    }
    let is = |name: &str, value: &str| labels.get(name).is_some_and(|found| found.eq_ignore_ascii_case(value));
    if conditions.about == TrafficFilter::RealTraffic && (is("traffic", "synthetic") || is("synthetic", "true")) {
        return Err("it is about synthetic traffic".to_owned());
    }
    Ok(())
}

/// `HighErrorRate, service=checkout, severity=page`.
fn summary(head: &str, labels: &BTreeMap<String, String>) -> String {
    let rest = labels
        .iter()
        .filter(|(name, _)| *name != "alertname")
        .map(|(name, value)| format!("{name}={value}"));
    let parts: Vec<String> = std::iter::once(head.to_owned()).filter(|head| !head.is_empty()).chain(rest).collect();
    shortened(&parts.join(", "))
}

/// As much of a text as a firing keeps, on one line.
fn shortened(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.chars().count() <= limits::SIGNAL_CHARACTERS {
        return line;
    }
    line.chars().take(limits::SIGNAL_CHARACTERS - 1).chain("…".chars()).collect()
}

/// A group as it is kept: a long one by its digest.
fn group(text: &str) -> String {
    if text.chars().count() <= limits::SIGNAL_CHARACTERS {
        return text.to_owned();
    }
    Digest::of([text.as_bytes()]).to_string()
}

/// Labels as they are kept.
fn kept(labels: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let short = labels.into_iter().map(|(name, value)| (shortened(&name), shortened(&value)));
    short.take(limits::SIGNAL_LABELS).collect()
}

/// The labels that all of `sets` have in common.
fn common<'a>(mut sets: impl Iterator<Item = &'a BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let first: BTreeSet<(&String, &String)> = sets.next().into_iter().flatten().collect();
    let shared = sets.fold(first, |shared, set| {
        shared.into_iter().filter(|(name, value)| set.get(*name) == Some(*value)).collect()
    });
    kept(shared.into_iter().map(|(name, value)| (name.clone(), value.clone())))
}

#[cfg(test)]
mod tests;
