//! `triggers`, `firings`, and what a hook answers.

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

/// A trigger: an item of `GET triggers`. It says by what kind of secret it knows its signals, and never the secret.
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
    /// By what a signal proves that it is genuine: `bearer`, `hmac`, or `none` for a gate.
    pub credential: String,
    /// Where its signals are sent; absent for a gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<String>,
    /// The action that the trigger takes when it fires.
    pub action: TriggerAction,
    /// The same in words.
    pub message: String,
    /// When a signal counts.
    pub conditions: SignalConditions,
    /// Cooldown: how long after an action the trigger takes no other.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "15m"))]
    pub cooldown: HumanDuration,
    /// Actions that it may take in an hour.
    pub max_per_hour: u32,
    /// How long a person may take to answer, in mode `ask`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "1h"))]
    pub answer_within: HumanDuration,
    /// Whether it is on.
    pub state: TriggerState,
    /// What it does when it fires: what the environment's policy says, narrowed where the trigger is.
    pub mode: TriggerMode,
    /// To what the trigger narrows the policy; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrowed: Option<TriggerMode>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who created the trigger.
    pub by: Actor,
    /// When the trigger was created.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
}

/// The answer to `POST triggers`: the trigger, and its secret, which is never shown again.
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

/// `GET triggers/{name}`: a trigger and its newest firings.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TriggerDetail {
    /// The trigger's state and options.
    #[serde(flatten)]
    pub trigger: TriggerView,
    /// Newest first, at most ten.
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
    /// Seconds since it was taken.
    pub age_seconds: u64,
    /// Whether a person can still have it act.
    pub can_be_confirmed: bool,
}

/// The answer to `POST triggers/{name}/test`: what a signal would come to.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TriggerTestResponse {
    /// Whether the trigger would fire.
    pub matched: bool,
    /// Why, or why not, and what it would do.
    pub message: String,
    /// The group that it would belong to, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Flags that it would move.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<FlagTransition>,
}

/// What a delivery came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum HookOutcome {
    /// The trigger fired.
    Fired,
    /// The incident is known and open: it was counted.
    Repeat,
    /// The incident is over.
    Resolved,
    /// It means nothing to the trigger, or is older than what is known.
    Ignored,
    /// The very same delivery was taken before.
    Duplicate,
    /// The trigger is disarmed.
    Disarmed,
}

/// The answer of `POST /v1/hooks/{hook}`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HookResponse {
    /// What it came to.
    pub outcome: HookOutcome,
    /// The same in words.
    pub message: String,
    /// The firing, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firing: Option<FiringId>,
    /// The kills that it pulled, or found in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kills: Vec<KillId>,
    /// The rollback that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RollbackId>,
    /// Whether what it did is not in the log yet, because the store is away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
}

impl HookOutcome {
    /// As it is written.
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
    /// A trigger as it is shown, in an environment of this policy.
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
    /// A firing as it is shown at `now`.
    pub fn of(firing: Firing, now: jiff::Timestamp) -> Self {
        Self {
            revision: None,
            age_seconds: u64::try_from(now.duration_since(firing.at).as_secs()).unwrap_or_default(),
            can_be_confirmed: firing.why_not_confirmed(now).is_none(),
            firing,
        }
    }
}
