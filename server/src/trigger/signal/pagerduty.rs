//! PagerDuty: its webhooks (version 3), and events in the form in which its Events API (version 2) takes them, which many tools send.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ripcord_proto::ValidationErrors;
use ripcord_proto::trigger::SignalConditions;
use serde_json::Value;

use super::parsed::{self, ParsedPayload, Signal, SignalPhase};

/// Members of an event that count as its labels.
const LABELS: [&str; 7] = ["severity", "source", "component", "group", "class", "urgency", "status"];

pub(super) fn read(payload: &Value, conditions: &SignalConditions, received: Timestamp) -> Result<ParsedPayload, ValidationErrors> {
    let found = match (payload.get("event"), payload.get("event_action")) {
        (Some(event), _) => webhook(event, received)?,
        (None, Some(action)) => event(payload, action, received)?,
        (None, None) => {
            return Err(ValidationErrors::one(
                "",
                "is not a PagerDuty event: it has neither \"event\" (webhooks) nor \"event_action\" (Events API)",
            ));
        }
    };
    let signal = match found {
        ParsedPayload::Signal(signal) => signal,
        nothing @ ParsedPayload::NoSignal(_) => return Ok(nothing),
    };
    Ok(match parsed::check(conditions, &signal.labels) {
        Ok(()) => ParsedPayload::Signal(signal),
        Err(why) => ParsedPayload::NoSignal(why),
    })
}

/// `{"event_type": "incident.triggered", "occurred_at": …, "data": {"id": …, "title": …, "service": …}}`.
fn webhook(event: &Value, received: Timestamp) -> Result<ParsedPayload, ValidationErrors> {
    let kind = text(event, "event_type").ok_or_else(|| missing("event.event_type", "such as \"incident.triggered\""))?;
    let phase = match kind.as_str() {
        "incident.triggered" | "incident.reopened" => SignalPhase::Firing,
        "incident.resolved" => SignalPhase::Resolved,
        _ => return Ok(ParsedPayload::NoSignal(format!("{kind} neither begins nor ends an incident"))),
    };
    let data = event.get("data").filter(|data| data.is_object());
    let data = data.ok_or_else(|| missing("event.data", "the incident"))?;
    let id = text(data, "id").ok_or_else(|| missing("event.data.id", "the incident's id"))?;
    let at = time(event, "occurred_at", "event.occurred_at")?.ok_or_else(|| missing("event.occurred_at", "when it happened"))?;
    let mut labels = of(data);
    let named = [
        ("service", "/service/summary"),
        ("priority", "/priority/summary"),
        ("escalation_policy", "/escalation_policy/summary"),
    ];
    labels.extend(
        named
            .iter()
            .filter_map(|(name, pointer)| Some(((*name).to_owned(), data.pointer(pointer)?.as_str()?.to_owned()))),
    );
    Ok(ParsedPayload::Signal(signal(
        &id,
        phase,
        at.min(received),
        labels,
        &text(data, "title").unwrap_or_default(),
    )))
}

/// `{"event_action": "trigger", "dedup_key": …, "payload": {"summary": …, "severity": …, "custom_details": {…}}}`.
fn event(event: &Value, action: &Value, received: Timestamp) -> Result<ParsedPayload, ValidationErrors> {
    let phase = match action.as_str() {
        Some("trigger") => SignalPhase::Firing,
        Some("resolve") => SignalPhase::Resolved,
        Some("acknowledge") => return Ok(ParsedPayload::NoSignal("an acknowledgement neither begins nor ends an incident".to_owned())),
        Some(_) | None => {
            return Err(ValidationErrors::one(
                "event_action",
                format!("must be \"trigger\", \"acknowledge\" or \"resolve\", not {action}"),
            ));
        }
    };
    let payload = event.get("payload").unwrap_or(&Value::Null);
    let summary = text(payload, "summary").unwrap_or_default();
    let key = text(event, "dedup_key").or_else(|| Some(summary.clone()).filter(|summary| !summary.is_empty()));
    let key = key.ok_or_else(|| missing("dedup_key", "the key that identifies the alert"))?;
    let at = time(payload, "timestamp", "payload.timestamp")?.unwrap_or(received);
    let mut labels = of(payload);
    labels.extend(payload.get("custom_details").map(of_any).unwrap_or_default());
    Ok(ParsedPayload::Signal(signal(&key, phase, at.min(received), labels, &summary)))
}

fn signal(group: &str, phase: SignalPhase, at: Timestamp, labels: BTreeMap<String, String>, summary: &str) -> Signal {
    let labels = parsed::bounded_labels(labels);
    Signal {
        group: parsed::group(group),
        phase,
        at,
        summary: parsed::summary(summary, &labels),
        labels,
        flag: None,
    }
}

fn of(value: &Value) -> BTreeMap<String, String> {
    LABELS.iter().filter_map(|name| Some(((*name).to_owned(), text(value, name)?))).collect()
}

fn of_any(value: &Value) -> BTreeMap<String, String> {
    let members = value.as_object().into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), super::json::scalar(value)?))).collect()
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(ToOwned::to_owned)
}

fn time(value: &Value, name: &str, path: &str) -> Result<Option<Timestamp>, ValidationErrors> {
    let Some(text) = text(value, name) else { return Ok(None) };
    let read = text.parse().map(Some);
    read.map_err(|_| ValidationErrors::one(path, format!("{text:?} is not a time; write it as RFC 3339")))
}

fn missing(path: &str, what: &str) -> ValidationErrors {
    ValidationErrors::one(path, format!("is missing; it must be {what}"))
}
