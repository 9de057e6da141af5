//! Parses payloads of three kinds into signals.

mod alertmanager;
mod json;
mod pagerduty;
mod parsed;

use jiff::Timestamp;
use ripcord_proto::trigger::{Source, Trigger};
use ripcord_proto::{Faults, rest};
use serde_json::Value;

pub(super) use self::parsed::{ParsedPayload, Signal, SignalPhase};

/// Parses a payload of `trigger`. `received` is when it was sent, or arrived.
pub(super) fn read(trigger: &Trigger, payload: &Value, received: Timestamp) -> Result<ParsedPayload, Faults> {
    match &trigger.source {
        Source::Alertmanager => alertmanager::read(payload, &trigger.conditions, received),
        Source::Pagerduty => pagerduty::read(payload, &trigger.conditions, received),
        Source::Json(check) => json::read(payload, check, &trigger.conditions, received),
        Source::Gate(_) => Err(Faults::one("", "this trigger listens to gates of rollouts and takes no payload")),
    }
}

/// Parses a body as JSON.
pub(super) fn parse(body: &[u8]) -> Result<Value, Faults> {
    let text = std::str::from_utf8(body).map_err(|error| Faults::one("", format!("is not UTF-8: byte {} is invalid", error.valid_up_to())))?;
    rest::parse_json(text)
}

#[cfg(test)]
mod tests;
