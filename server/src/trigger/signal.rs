//! Parses payloads of three kinds into signals.

mod alertmanager;
mod json;
mod pagerduty;
mod parsed;

use jiff::Timestamp;
use ripcord_proto::trigger::{SignalSource, Trigger};
use ripcord_proto::{ValidationErrors, rest};
use serde_json::Value;

pub(super) use self::parsed::{ParsedPayload, Signal, SignalPhase};

/// Parses a payload of `trigger`. `received` is when it was sent, or arrived.
pub(super) fn read(trigger: &Trigger, payload: &Value, received: Timestamp) -> Result<ParsedPayload, ValidationErrors> {
    match &trigger.source {
        SignalSource::Alertmanager => alertmanager::read(payload, &trigger.conditions, received),
        SignalSource::Pagerduty => pagerduty::read(payload, &trigger.conditions, received),
        SignalSource::Json(check) => json::read(payload, check, &trigger.conditions, received),
        SignalSource::Gate(_) => Err(ValidationErrors::one("", "this trigger listens to gates of rollouts and takes no payload")),
    }
}

/// Parses a body as JSON.
pub(super) fn parse(body: &[u8]) -> Result<Value, ValidationErrors> {
    let text = std::str::from_utf8(body).map_err(|error| ValidationErrors::one("", format!("is not UTF-8: byte {} is invalid", error.valid_up_to())))?;
    rest::parse_json(text)
}

#[cfg(test)]
mod tests;
