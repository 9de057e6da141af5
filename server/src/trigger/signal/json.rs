//! Any JSON: one place of it is compared. If it matches, the alert fires; if not, it is resolved.

use jiff::Timestamp;
use ripcord_proto::ValidationErrors;
use ripcord_proto::check::BodyCheck;
use ripcord_proto::trigger::SignalConditions;
use serde_json::Value;

use super::parsed::{self, ParsedPayload, Signal, SignalPhase};
use crate::check::{BodyMatch, compare};

/// The one group of such a trigger.
const GROUP: &str = "all";

pub(super) fn read(payload: &Value, check: &BodyCheck, conditions: &SignalConditions, received: Timestamp) -> Result<ParsedPayload, ValidationErrors> {
    let found = compare(check, payload).map_err(|why| ValidationErrors::one("", why))?;
    // What is given for people and to match by are the members of the top.
    let members = payload.as_object().into_iter().flatten();
    let labels = parsed::bounded_labels(members.filter_map(|(name, value)| Some((name.clone(), scalar(value)?))));
    if let Err(why) = parsed::check(conditions, &labels) {
        return Ok(ParsedPayload::NoSignal(why));
    }
    let (phase, says) = match found {
        BodyMatch::Matches(says) => (SignalPhase::Firing, says),
        BodyMatch::Differs(says) => (SignalPhase::Resolved, says),
    };
    Ok(ParsedPayload::Signal(Signal {
        group: GROUP.to_owned(),
        phase,
        at: received,
        summary: parsed::shortened(&says),
        labels,
        flag: None,
    }))
}

/// A value that can be a label.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
