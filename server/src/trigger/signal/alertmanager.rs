//! Webhooks of Prometheus' Alertmanager: a group of alerts, each firing or resolved. What counts are the alerts that are labelled
//! as the trigger asks; the group fires while one of them does.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ripcord_proto::ValidationErrors;
use ripcord_proto::trigger::SignalConditions;
use serde::Deserialize as _;
use serde_json::Value;

use super::parsed::{self, ParsedPayload, Signal, SignalPhase};

/// A webhook, version 4.
#[derive(serde::Deserialize)]
struct Webhook {
    #[serde(rename = "groupKey", default)]
    group_key: Option<String>,
    alerts: Vec<Alert>,
}

#[derive(serde::Deserialize)]
struct Alert {
    status: Status,
    labels: BTreeMap<String, String>,
    #[serde(rename = "startsAt")]
    starts: Rfc3339Timestamp,
    #[serde(rename = "endsAt", default)]
    ends: Option<Rfc3339Timestamp>,
    #[serde(default)]
    fingerprint: Option<String>,
}

/// A moment whose error says what was written.
#[derive(Clone, Copy)]
struct Rfc3339Timestamp(Timestamp);

impl<'de> serde::Deserialize<'de> for Rfc3339Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = |_| serde::de::Error::custom(format!("{text:?} is not a time; write it as RFC 3339"));
        text.parse().map(Self).map_err(wrong)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Firing,
    Resolved,
}

pub(super) fn read(payload: &Value, conditions: &SignalConditions, received: Timestamp) -> Result<ParsedPayload, ValidationErrors> {
    let webhook = Webhook::deserialize(payload).map_err(|error| ValidationErrors::one("", format!("is not an Alertmanager webhook: {error}")))?;
    if webhook.alerts.is_empty() {
        return Err(ValidationErrors::one("alerts", "is empty; an Alertmanager webhook has at least one alert"));
    }
    let mut why = String::new();
    let counts = |alert: &&Alert| match parsed::check(conditions, &alert.labels) {
        Ok(()) => true,
        Err(reason) => {
            why = reason;
            false
        }
    };
    let matching: Vec<&Alert> = webhook.alerts.iter().filter(counts).collect();
    if matching.is_empty() {
        let others = if webhook.alerts.len() > 1 {
            "none of its alerts match; the last: "
        } else {
            ""
        };
        return Ok(ParsedPayload::NoSignal(format!("{others}{why}")));
    }
    let firing: Vec<&Alert> = matching.iter().filter(|alert| alert.status == Status::Firing).copied().collect();
    let (phase, at, alerts) = if firing.is_empty() {
        let ended = matching.iter().map(|alert| alert.ends.map_or(received, |Rfc3339Timestamp(at)| at)).max();
        (SignalPhase::Resolved, ended, &matching)
    } else {
        (SignalPhase::Firing, firing.iter().map(|alert| alert.starts.0).max(), &firing)
    };
    let labels = parsed::common(alerts.iter().map(|alert| &alert.labels));
    let name = labels.get("alertname").cloned().unwrap_or_default();
    let head = if alerts.len() > 1 {
        format!("{name} ({} alerts)", alerts.len())
    } else {
        name
    };
    Ok(ParsedPayload::Signal(Signal {
        group: parsed::group(&webhook.group()),
        phase,
        // A clock that is ahead must not make what comes next look old.
        at: at.unwrap_or(received).min(received),
        summary: parsed::summary(&head, &labels),
        labels,
        flag: None,
    }))
}

impl Webhook {
    /// The group's key; without one, derived from its alerts.
    fn group(&self) -> String {
        if let Some(key) = self.group_key.as_ref().filter(|key| !key.is_empty()) {
            return key.clone();
        }
        let own = |alert: &Alert| {
            let labels = || alert.labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",");
            alert.fingerprint.clone().unwrap_or_else(labels)
        };
        let mut alerts: Vec<String> = self.alerts.iter().map(own).collect();
        alerts.sort();
        alerts.join(";")
    }
}
