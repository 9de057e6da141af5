//! Request bodies of `triggers`.

use serde_json::{Map, Value};

use crate::duration::HumanDuration;
use crate::key::TriggerName;
use crate::limits;
use crate::reader::{Read, Reader};
use crate::rest::{Members, reason};
use crate::trigger::{SignalConditions, SignalSource, TriggerAction, TriggerMode, TriggerState};
use crate::validation::ValidationErrors;

/// How signals are authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum CredentialKind {
    /// `Authorization: Bearer …`.
    Bearer,
    /// An HMAC signature of each delivery.
    Hmac,
}

impl std::str::FromStr for CredentialKind {
    type Err = ValidationErrors;

    fn from_str(text: &str) -> Result<Self, ValidationErrors> {
        match text {
            "bearer" => Ok(Self::Bearer),
            "hmac" => Ok(Self::Hmac),
            _ => Err(ValidationErrors::one("", format!("{text:?} is neither \"bearer\" nor \"hmac\""))),
        }
    }
}

/// The body of `POST triggers`.
#[derive(Clone, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TriggerRequest {
    /// The trigger's name, unique within its environment.
    pub name: TriggerName,
    /// Where its signals come from.
    #[cfg_attr(feature = "openapi", schema(value_type = Object, example = "alertmanager"))]
    pub source: SignalSource,
    /// The kind of secret that authenticates signals; `bearer` if omitted. A gate needs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialKind>,
    /// The secret, if the sender generates it (as PagerDuty does). If omitted, one is generated and shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The action that the trigger takes when it fires.
    pub action: TriggerAction,
    /// Conditions that a signal must meet.
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub conditions: SignalConditions,
    /// Cooldown: how long after an action the trigger takes no other; 15 minutes if omitted, at most a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "15m"))]
    pub cooldown: Option<HumanDuration>,
    /// Maximum number of actions per hour, at least one; three if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_per_hour: Option<u32>,
    /// Time within which a person must answer: a minute to a week; an hour if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "1h"))]
    pub answer_within: Option<HumanDuration>,
    /// The state; armed if omitted.
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub state: TriggerState,
    /// A more cautious mode than the environment's policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<TriggerMode>,
    /// A note for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The reason, recorded in the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl std::fmt::Debug for TriggerRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A request may contain a secret, so `Debug` shows only the name.
        f.debug_struct("TriggerRequest").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The body of `PATCH triggers/{name}`; omitted members stay as they are.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TriggerPatch {
    /// The new state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<TriggerState>,
    /// The action that the trigger takes when it fires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<TriggerAction>,
    /// Conditions that a signal must meet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditions: Option<SignalConditions>,
    /// Cooldown: how long after an action the trigger takes no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "15m"))]
    pub cooldown: Option<HumanDuration>,
    /// Maximum number of actions per hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_per_hour: Option<u32>,
    /// Time within which a person must answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "1h"))]
    pub answer_within: Option<HumanDuration>,
    /// A more cautious mode than the environment's policy; `null` uses the policy's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<TriggerMode>))]
    pub mode: Option<ModeOverride>,
    /// A note for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The reason, recorded in the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A change of a trigger's own mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum ModeOverride {
    /// Sets the mode to this one.
    To(TriggerMode),
    /// Removes it, so that the policy's mode applies; written `null`.
    Not,
}

impl ModeOverride {
    /// The trigger's own mode after the change.
    pub const fn mode(self) -> Option<TriggerMode> {
        match self {
            Self::To(mode) => Some(mode),
            Self::Not => None,
        }
    }
}

impl TriggerPatch {
    /// Whether it only disarms the trigger, which the role `oncall` may do.
    pub fn only_disarms(&self) -> bool {
        let disarming = Self {
            state: Some(TriggerState::Disarmed),
            reason: self.reason.clone(),
            ..Self::default()
        };
        *self == disarming
    }
}

/// The body of `POST triggers/{name}/test`: a signal to try out.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TriggerTestRequest {
    /// The body of a delivery.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub payload: Value,
}

fn cooldown(reader: &mut Reader, value: &Value) -> Read<HumanDuration> {
    let span: HumanDuration = reader.parsed(value)?;
    if span.millis() > limits::COOLDOWN_MILLIS_MAX {
        return reader.refuse("is too long; a cooldown is at most a day");
    }
    Ok(span)
}

fn answer_within(reader: &mut Reader, value: &Value) -> Read<HumanDuration> {
    let span: HumanDuration = reader.parsed(value)?;
    if !(limits::ANSWER_MILLIS_MIN..=limits::ANSWER_MILLIS_MAX).contains(&span.millis()) {
        return reader.refuse("must be a minute to a week");
    }
    Ok(span)
}

fn max_per_hour(reader: &mut Reader, value: &Value) -> Read<u32> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    match number.filter(|number| (1..=limits::ACTIONS_PER_HOUR_MAX).contains(number)) {
        Some(number) => Ok(number),
        None => reader.refuse(format!(
            "must be a whole number from 1 to {}, not {value}; `off` as the mode takes no action at all",
            limits::ACTIONS_PER_HOUR_MAX
        )),
    }
}

fn secret(reader: &mut Reader, value: &Value) -> Read<String> {
    let text = reader.text(value)?;
    let (least, most) = (limits::TRIGGER_SECRET_CHARACTERS_MIN, limits::KEY_CHARACTERS);
    if !(least..=most).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return reader.refuse(format!(
            "must be {least} to {most} letters, digits and signs without spaces; leave it out to generate one"
        ));
    }
    Ok(text.to_owned())
}

impl Members for TriggerRequest {
    const WHAT: &'static str = "a trigger";
    const KNOWN: &'static [&'static str] = &[
        "name",
        "source",
        "credential",
        "secret",
        "action",
        "conditions",
        "cooldown",
        "max_per_hour",
        "answer_within",
        "state",
        "mode",
        "note",
        "reason",
    ];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let name = reader.required(map, "name", "a name such as \"error-rate\"", Reader::parsed);
        let source = reader.required(map, "source", "where signals come from, such as \"alertmanager\"", SignalSource::read);
        let action = reader.required(
            map,
            "action",
            "what it does, such as {\"kill\": {\"flags\": [\"checkout\"]}}",
            TriggerAction::read,
        );
        let request = Self {
            credential: reader.optional(map, "credential", Reader::parsed),
            secret: reader.optional(map, "secret", secret),
            conditions: reader.optional(map, "conditions", SignalConditions::read).unwrap_or_default(),
            cooldown: reader.optional(map, "cooldown", cooldown),
            max_per_hour: reader.optional(map, "max_per_hour", max_per_hour),
            answer_within: reader.optional(map, "answer_within", answer_within),
            state: reader.optional(map, "state", Reader::parsed).unwrap_or_default(),
            mode: reader.optional(map, "mode", Reader::parsed),
            note: reader.optional(map, "note", Reader::line),
            reason: reason(reader, map),
            name: name?,
            source: source?,
            action: action?,
        };
        together(reader, &request);
        Ok(request)
    }
}

/// Checks members that depend on each other.
fn together(reader: &mut Reader, request: &TriggerRequest) {
    let is_gate = matches!(request.source, SignalSource::Gate(_));
    if is_gate && (request.credential.is_some() || request.secret.is_some()) {
        reader.within("credential", |reader| {
            reader.note("is not needed: gate signals come from this server");
        });
    }
    if is_gate && !request.conditions.labels.is_empty() {
        reader.within("conditions.labels", |reader| reader.note("does not apply to a gate; name the gate in source"));
    }
    if !is_gate && matches!(&request.action, TriggerAction::Kill(names) if names.flags.is_empty()) {
        reader.within("action.kill.flags", |reader| reader.note("is missing; name the flags to kill"));
    }
}

impl Members for TriggerPatch {
    const WHAT: &'static str = "a change of a trigger";
    const KNOWN: &'static [&'static str] = &[
        "state",
        "action",
        "conditions",
        "cooldown",
        "max_per_hour",
        "answer_within",
        "mode",
        "note",
        "reason",
    ];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let mode = |reader: &mut Reader, value: &Value| match value {
            Value::Null => Ok(ModeOverride::Not),
            value @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => reader.parsed(value).map(ModeOverride::To),
        };
        Ok(Self {
            state: reader.optional(map, "state", Reader::parsed),
            action: reader.optional(map, "action", TriggerAction::read),
            conditions: reader.optional(map, "conditions", SignalConditions::read),
            cooldown: reader.optional(map, "cooldown", cooldown),
            max_per_hour: reader.optional(map, "max_per_hour", max_per_hour),
            answer_within: reader.optional(map, "answer_within", answer_within),
            mode: reader.optional(map, "mode", mode),
            note: reader.optional(map, "note", Reader::line),
            reason: reason(reader, map),
        })
    }
}

impl Members for TriggerTestRequest {
    const WHAT: &'static str = "a signal to be tried";
    const KNOWN: &'static [&'static str] = &["payload"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let payload = reader.required(map, "payload", "what would come in the body of a delivery", |_, value| Ok(value.clone()));
        Ok(Self { payload: payload? })
    }
}
