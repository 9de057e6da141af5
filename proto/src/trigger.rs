//! Triggers: actions that are taken on signals from monitoring.
//!
//! ```text
//! signal ──► conditions ──► firing (one for each incident) ──► hold, roll back, kill
//!                            mode: automatic, ask, off
//! ```

mod action;
mod firing;
mod read;
mod secret;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::actor::Actor;
use crate::check::BodyCheck;
use crate::duration::HumanDuration;
use crate::key::{EnvironmentKey, FlagKey, TriggerName};
use crate::table::Entity;
use crate::validation::ValidationErrors;

pub use self::action::{FlagSelection, TriggerAction, TriggerRollback, TriggerRollbackScope};
pub use self::firing::{Attribution, Firing, FiringEffects, FiringId, FiringState, FlagTransition};
pub use self::secret::{Credential, SigningKey};

/// A trigger, as it is stored. Callers see [`crate::rest::triggers::TriggerView`], which does not contain the secret.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Trigger {
    /// The trigger's name, unique within its environment.
    pub name: TriggerName,
    /// Where its signals come from, and their format.
    pub source: SignalSource,
    /// How its signals are authenticated.
    pub credential: Credential,
    /// The action that the trigger takes when it fires.
    pub action: TriggerAction,
    /// Conditions that a signal must meet.
    #[serde(default)]
    pub conditions: SignalConditions,
    /// Cooldown: how long after an action the trigger takes no other.
    pub cooldown: HumanDuration,
    /// Maximum number of actions per hour.
    pub max_per_hour: u32,
    /// Time within which a person must answer, in mode `ask`.
    pub answer_within: HumanDuration,
    /// Whether it is armed, in a dry run, or disarmed.
    pub state: TriggerState,
    /// Its own mode, which applies only if it is more cautious than the environment's policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<TriggerMode>,
    /// A note for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who created the trigger.
    pub by: Actor,
    /// When the trigger was created.
    pub at: jiff::Timestamp,
}

impl Trigger {
    /// Default cooldown after an action.
    pub const COOLDOWN: HumanDuration = HumanDuration::from_millis(15 * 60 * 1_000);
    /// Default maximum number of actions per hour.
    pub const MAX_PER_HOUR: u32 = 3;
    /// Default time for a person to answer.
    pub const ANSWER_WITHIN: HumanDuration = HumanDuration::from_millis(60 * 60 * 1_000);
    /// Maximum difference in seconds between the time of a signed delivery and the server's clock.
    pub const REPLAY_WINDOW_SECONDS: i64 = 300;

    /// The mode in force in an environment whose policy is `policy`: the more cautious of the two.
    pub fn mode_under(&self, policy: TriggerMode) -> TriggerMode {
        self.mode.map_or(policy, |own| own.min(policy))
    }
}

/// Where signals come from, and their format: `"alertmanager"`, `"pagerduty"`, `{"json": …}` or `{"gate": …}`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignalSource {
    /// Webhooks of Prometheus' Alertmanager.
    Alertmanager,
    /// Webhooks of PagerDuty (version 3), and events of its Events API (version 2).
    Pagerduty,
    /// Any JSON, with a check on one of its values.
    Json(BodyCheck),
    /// Gates of rollouts of this environment.
    Gate(GateFilter),
}

/// The gates that are signals; all if nothing is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateFilter {
    /// Gates with this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Gates of rollouts of this flag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<FlagKey>,
}

/// Conditions that a signal must meet.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignalConditions {
    /// Labels that it must have, each with its accepted values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, BTreeSet<String>>,
    /// The period in which signals count.
    #[serde(default)]
    pub during: ActivePeriod,
    /// The kind of traffic that it must be about.
    #[serde(default)]
    pub about: TrafficFilter,
}

/// The period in which signals count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ActivePeriod {
    /// The trigger is active at any time.
    #[default]
    Always,
    /// While a release is open: the one that the action names, if it names one.
    OpenRelease,
}

/// The kind of traffic that a signal must be about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TrafficFilter {
    /// Real and synthetic traffic.
    #[default]
    AllTraffic,
    /// Real traffic: signals labelled `traffic: synthetic` or `synthetic: true` are ignored.
    RealTraffic,
}

/// Whether a trigger is on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TriggerState {
    /// It acts according to its mode.
    #[default]
    Armed,
    /// It records what it would have done.
    DryRun,
    /// It ignores signals.
    Disarmed,
}

/// What a trigger does when it fires, from the most to the least cautious.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum TriggerMode {
    /// It records that it fired.
    Off,
    /// It waits for a person to confirm it.
    Ask,
    /// It acts automatically. It was agreed beforehand, so it needs no approval.
    Automatic,
}

/// The webhook of a trigger: `production.error-rate`, the last segment of its path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HookName {
    /// The environment of the trigger.
    pub environment: EnvironmentKey,
    /// The name of the trigger.
    pub trigger: TriggerName,
}

impl fmt::Display for HookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.environment, self.trigger)
    }
}

impl FromStr for HookName {
    type Err = ValidationErrors;

    fn from_str(text: &str) -> Result<Self, ValidationErrors> {
        // The name of an environment contains no dot.
        let (environment, trigger) = text
            .split_once('.')
            .ok_or_else(|| ValidationErrors::one("", format!("{text:?} is not a hook; write it as ENVIRONMENT.TRIGGER")))?;
        Ok(Self {
            environment: environment.parse()?,
            trigger: trigger.parse()?,
        })
    }
}

macro_rules! words {
    ($name:ident, $what:literal, $($variant:ident = $word:literal),*) => {
        impl $name {
            /// The name in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = ValidationErrors;

            fn from_str(text: &str) -> Result<Self, ValidationErrors> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(ValidationErrors::one("", format!("{text:?} is not a {}; use one of {}", $what, [$($word),*].join(", ")))),
                }
            }
        }
    };
}

words!(TriggerMode, "mode of a trigger", Automatic = "automatic", Ask = "ask", Off = "off");
words!(TriggerState, "state of a trigger", Armed = "armed", DryRun = "dry_run", Disarmed = "disarmed");
words!(ActivePeriod, "time", Always = "always", OpenRelease = "open_release");
words!(TrafficFilter, "kind of traffic", AllTraffic = "all_traffic", RealTraffic = "real_traffic");

impl SignalSource {
    /// `alertmanager`, `pagerduty`, `json`, `gate`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Pagerduty => "pagerduty",
            Self::Json(_) => "json",
            Self::Gate(_) => "gate",
        }
    }
}

impl Entity for Trigger {
    type Key = TriggerName;
    const KIND: &'static str = "trigger";

    fn parse(json: &str) -> Result<Self, ValidationErrors> {
        serde_json::from_str(json).map_err(|error| ValidationErrors::one("", error.to_string()))
    }
}

#[cfg(test)]
mod tests;
