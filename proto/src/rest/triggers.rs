//! Bodies of `triggers`, `firings` and hooks.

mod request;

use crate::actor::Actor;
use crate::duration::HumanDuration;
use crate::key::{EnvironmentKey, TriggerName};
use crate::kill::KillId;
use crate::policy::Policy;
use crate::revision::Revision;
use crate::rollback::RollbackId;
use crate::trigger::{Firing, FiringId, FlagTransition, HookName, SignalConditions, SignalSource, Trigger, TriggerAction, TriggerMode, TriggerState};

pub use self::request::{CredentialKind, ModeOverride, TriggerPatch, TriggerRequest, TriggerTestRequest};

/// A trigger, as an item of `GET triggers`. It names the kind of its secret, but never contains the secret.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TriggerView {
    /// `null`: triggers are records, and make no revision.
    pub revision: Option<Revision>,
    /// The trigger's name, unique within its environment.
    pub name: TriggerName,
    /// Where its signals come from.
    #[cfg_attr(feature = "openapi", schema(value_type = Object, example = "alertmanager"))]
    pub source: SignalSource,
    /// How its signals are authenticated: `bearer`, `hmac`, or `none` for a gate.
    pub credential: String,
    /// The path of its webhook; absent for a gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<String>,
    /// The action that the trigger takes when it fires.
    pub action: TriggerAction,
    /// The action in words.
    pub message: String,
    /// Conditions that a signal must meet.
    pub conditions: SignalConditions,
    /// Cooldown: how long after an action the trigger takes no other.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "15m"))]
    pub cooldown: HumanDuration,
    /// Maximum number of actions per hour.
    pub max_per_hour: u32,
    /// Time within which a person must answer, in mode `ask`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "1h"))]
    pub answer_within: HumanDuration,
    /// Whether it is armed, in a dry run, or disarmed.
    pub state: TriggerState,
    /// The mode in force: the more cautious of the environment's policy and the trigger's own mode.
    pub mode: TriggerMode,
    /// The trigger's own mode; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrowed: Option<TriggerMode>,
    /// A note for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who created the trigger.
    pub by: Actor,
    /// When the trigger was created.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
}

/// The response to `POST triggers`: the trigger, and its secret, which is never shown again.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TriggerCreated {
    /// The trigger's state and options.
    #[serde(flatten)]
    pub trigger: TriggerView,
    /// Its secret; absent for a gate, where the caller provided it, and in a replayed answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// The response to `GET triggers/{name}`: a trigger and its newest firings.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TriggerDetail {
    /// The trigger's state and options.
    #[serde(flatten)]
    pub trigger: TriggerView,
    /// Its newest firings, at most ten, newest first.
    pub firings: Vec<FiringView>,
}

/// A firing: an item of `GET firings`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FiringView {
    /// `null`: firings are records, and make no revision.
    pub revision: Option<Revision>,
    /// The firing itself.
    #[serde(flatten)]
    pub firing: Firing,
    /// Seconds since the signal was received.
    pub age_seconds: u64,
    /// Whether a person can still confirm it.
    pub can_be_confirmed: bool,
}

/// The response to `POST triggers/{name}/test`: the effect that a signal would have.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TriggerTestResponse {
    /// Whether the trigger would fire.
    pub matched: bool,
    /// Why, or why not, and what it would do.
    pub message: String,
    /// The incident group of the signal, if it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Flags that it would change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<FlagTransition>,
}

/// The result of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum HookOutcome {
    /// The trigger fired.
    Fired,
    /// The incident is known and open; the delivery was counted as a repeat.
    Repeat,
    /// The incident is over.
    Resolved,
    /// The trigger ignores it, or it is older than the last known signal.
    Ignored,
    /// The same delivery was received before.
    Duplicate,
    /// The trigger is disarmed.
    Disarmed,
}

/// The response to `POST /v1/hooks/{hook}`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HookResponse {
    /// The result.
    pub outcome: HookOutcome,
    /// The action in words.
    pub message: String,
    /// The firing, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firing: Option<FiringId>,
    /// The kills that it made, or that were already in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kills: Vec<KillId>,
    /// The rollback that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RollbackId>,
    /// Whether its action is not in the log yet, because the store is unavailable.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
}

impl HookOutcome {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::Repeat => "repeat",
            Self::Resolved => "resolved",
            Self::Ignored => "ignored",
            Self::Duplicate => "duplicate",
            Self::Disarmed => "disarmed",
        }
    }
}

impl TriggerView {
    /// The view of a trigger in an environment with this policy.
    pub fn of(environment: &EnvironmentKey, trigger: &Trigger, policy: &Policy) -> Self {
        let hook = HookName {
            environment: environment.clone(),
            trigger: trigger.name.clone(),
        };
        let hook = match &trigger.source {
            SignalSource::Alertmanager | SignalSource::Pagerduty | SignalSource::Json(_) => Some(format!("/v1/hooks/{hook}")),
            SignalSource::Gate(_) => None,
        };
        Self {
            revision: None,
            name: trigger.name.clone(),
            source: trigger.source.clone(),
            credential: trigger.credential.kind().to_owned(),
            hook,
            action: trigger.action.clone(),
            message: trigger.action.to_string(),
            conditions: trigger.conditions.clone(),
            cooldown: trigger.cooldown,
            max_per_hour: trigger.max_per_hour,
            answer_within: trigger.answer_within,
            state: trigger.state,
            mode: trigger.mode_under(policy.triggers()),
            narrowed: trigger.mode,
            note: trigger.note.clone(),
            by: trigger.by.clone(),
            at: trigger.at,
        }
    }
}

impl FiringView {
    /// The view of a firing at `now`.
    pub fn of(firing: Firing, now: jiff::Timestamp) -> Self {
        Self {
            revision: None,
            age_seconds: u64::try_from(now.duration_since(firing.at).as_secs()).unwrap_or_default(),
            can_be_confirmed: firing.why_not_confirmed(now).is_none(),
            firing,
        }
    }
}
