//! Triggers: what is done, as was agreed beforehand, when a signal comes.
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

/// A trigger, as it is kept. Its secret never leaves with it: what callers see is [`crate::rest::triggers::TriggerView`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Trigger {
    /// The trigger's name, unique within its environment.
    pub name: TriggerName,
    /// Where its signals come from, and how they are read.
    pub source: SignalSource,
    /// By what a signal proves that it is genuine.
    pub credential: Credential,
    /// The action that the trigger takes when it fires.
    pub action: TriggerAction,
    /// When a signal counts.
    #[serde(default)]
    pub conditions: SignalConditions,
    /// Cooldown: how long after an action the trigger takes no other.
    pub cooldown: HumanDuration,
    /// Actions that it may take in an hour.
    pub max_per_hour: u32,
    /// How long a person may take to answer, in mode `ask`.
    pub answer_within: HumanDuration,
    /// Whether it is on.
    pub state: TriggerState,
    /// Narrows what the environment's policy says; it cannot widen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<TriggerMode>,
    /// What it is for.
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
    /// Default number of actions in an hour.
    pub const MAX_PER_HOUR: u32 = 3;
    /// Default time for a person to answer.
    pub const ANSWER_WITHIN: HumanDuration = HumanDuration::from_millis(60 * 60 * 1_000);
    /// Seconds that a signed delivery may be away from the server's clock, either way.
    pub const REPLAY_WINDOW_SECONDS: i64 = 300;

    /// What it does when it fires in an environment whose policy allows `policy`: the more cautious of the two modes.
    pub fn mode_under(&self, policy: TriggerMode) -> TriggerMode {
        self.mode.map_or(policy, |own| own.min(policy))
    }
}

/// Where signals come from, and how they are read: `"alertmanager"`, `"pagerduty"`, `{"json": …}` or `{"gate": …}`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignalSource {
    /// Webhooks of Prometheus' Alertmanager.
    Alertmanager,
    /// Webhooks of PagerDuty (version 3), and events as its Events API takes them (version 2).
    Pagerduty,
    /// Any JSON: one place of it says whether something is wrong.
    Json(BodyCheck),
    /// Gates of rollouts of this environment.
    Gate(GateFilter),
}

/// Which gates; all where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateFilter {
    /// Those of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Those of rollouts of this flag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<FlagKey>,
}

/// When a signal counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignalConditions {
    /// Labels that it must carry, each with the values that will do.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, BTreeSet<String>>,
    /// When it counts at all.
    #[serde(default)]
    pub during: ActivePeriod,
    /// Whose traffic it must be about.
    #[serde(default)]
    pub about: TrafficFilter,
}

/// When a signal counts at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ActivePeriod {
    /// The trigger is active at any time.
    #[default]
    Always,
    /// While a release is open: the one that goes back, where one is named.
    OpenRelease,
}

/// Whose traffic a signal must be about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TrafficFilter {
    /// Real and synthetic traffic.
    #[default]
    AllTraffic,
    /// Users': what is labelled `traffic: synthetic` or `synthetic: true` does not count.
    RealTraffic,
}

/// Whether a trigger is on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TriggerState {
    /// It acts as its mode says.
    #[default]
    Armed,
    /// It records what it would have done.
    DryRun,
    /// Signals come to nothing.
    Disarmed,
}

/// What a trigger does when it fires. The order is from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum TriggerMode {
    /// It records that it fired.
    Off,
    /// It asks those on call, and waits.
    Ask,
    /// It acts by itself: having been agreed beforehand, it counts as approved.
    Automatic,
}

/// Where a trigger takes its signals: `production.error-rate`, the last part of the hook's address.
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
        // No environment's name has a dot.
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
            /// As it is written.
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
