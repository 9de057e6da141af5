//! Signals, and what the parsers of payloads share.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use ripcord_proto::digest::Digest;
use ripcord_proto::trigger::{SignalConditions, TrafficFilter};
use ripcord_proto::visible::one_line;
use ripcord_proto::{FlagKey, limits};

/// A signal that matches its trigger's conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::trigger) struct Signal {
    /// Identifies the alert: signals of one alert have the same group.
    pub(in crate::trigger) group: String,
    /// Whether the alert begins or ends.
    pub(in crate::trigger) phase: SignalPhase,
    /// When it began or ended.
    pub(in crate::trigger) at: Timestamp,
    pub(in crate::trigger) labels: BTreeMap<String, String>,
    /// A short description.
    pub(in crate::trigger) summary: String,
    /// The flag that it is about, if it names one.
    pub(in crate::trigger) flag: Option<FlagKey>,
}

/// Whether an alert begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::trigger) enum SignalPhase {
    Firing,
    Resolved,
}

/// A parsed payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::trigger) enum ParsedPayload {
    Signal(Signal),
    /// Not a signal for this trigger, and why.
    NoSignal(String),
}

/// Checks labels against the conditions.
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
        return Err("it concerns synthetic traffic".to_owned());
    }
    Ok(())
}

/// `HighErrorRate, service=checkout, severity=page`.
pub(super) fn summary(head: &str, labels: &BTreeMap<String, String>) -> String {
    let rest = labels
        .iter()
        .filter(|(name, _)| *name != "alertname")
        .map(|(name, value)| format!("{name}={value}"));
    let parts: Vec<String> = std::iter::once(head.to_owned()).filter(|head| !head.is_empty()).chain(rest).collect();
    shortened(&parts.join(", "))
}

/// A text on one line, cut to the length that a firing keeps.
pub(super) fn shortened(text: &str) -> String {
    let line = one_line(text);
    if line.chars().count() <= limits::SIGNAL_CHARACTERS {
        return line;
    }
    line.chars().take(limits::SIGNAL_CHARACTERS - 1).chain("…".chars()).collect()
}

/// A group as it is stored: a long one as its digest.
pub(super) fn group(text: &str) -> String {
    if text.chars().count() <= limits::SIGNAL_CHARACTERS {
        return text.to_owned();
    }
    Digest::of([text.as_bytes()]).to_string()
}

/// Labels as they are stored: shortened, and a limited number.
pub(super) fn bounded_labels(labels: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let short = labels.into_iter().map(|(name, value)| (shortened(&name), shortened(&value)));
    short.take(limits::SIGNAL_LABELS).collect()
}

/// The labels that all of `sets` share.
pub(super) fn common<'a>(mut sets: impl Iterator<Item = &'a BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let first: BTreeSet<(&String, &String)> = sets.next().into_iter().flatten().collect();
    let shared = sets.fold(first, |shared, set| {
        shared.into_iter().filter(|(name, value)| set.get(*name) == Some(*value)).collect()
    });
    bounded_labels(shared.into_iter().map(|(name, value)| (name.clone(), value.clone())))
}
