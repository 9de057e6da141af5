//! Firings: what came of a signal that made a trigger fire, one record for each incident.

use std::collections::BTreeMap;

use super::action::TriggerAction;
use crate::digest::Digest;
use crate::key::{FlagKey, TriggerName};
use crate::kill::KillId;
use crate::rollback::RollbackId;
use crate::rollout::RolloutId;
use crate::table::Entity;
use crate::validation::ValidationErrors;

pub use crate::actor::Attribution;
pub use crate::id::FiringId;

/// One firing of a trigger.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Firing {
    /// The firing's id.
    pub id: FiringId,
    /// The name of the trigger.
    pub trigger: TriggerName,
    /// By what the signals of one incident are told from others: Alertmanager's group, PagerDuty's incident.
    pub group: String,
    /// The signal, in short: `HighErrorRate, severity=page`.
    pub summary: String,
    /// The labels of the signal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Since when it fires, as the signal says: the newest, where it was told again.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub started: jiff::Timestamp,
    /// When it was taken.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// The node that took it.
    pub node: String,
    /// What the trigger was to do.
    pub action: TriggerAction,
    /// What came of it.
    pub state: FiringState,
    /// The same in words, and what can be done next.
    #[serde(alias = "says")]
    pub message: String,
    /// The effects of the trigger's action.
    #[serde(default)]
    pub effects: FiringEffects,
    /// Until when a person may answer, where it waits or was held back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub answer_by: Option<jiff::Timestamp>,
    /// What a person answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Attribution>,
    /// How often it was told again while it was open.
    #[serde(default)]
    pub repeats: u64,
    /// When it ended, as the signal says; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub resolved: Option<jiff::Timestamp>,
    /// SHA-256 of the delivery that made it.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub delivery: Digest,
}

/// What came of a firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FiringState {
    /// The action was taken.
    Acted,
    /// The store was away, and the flags that were to go back were killed instead.
    Killed,
    /// The action was refused, and the live rollouts of its scope are held instead.
    Held,
    /// A person is asked.
    Waiting,
    /// A person said no.
    Declined,
    /// The cooldown or the hour's limit stood in the way.
    Suppressed,
    /// Nothing was to be done but to record it.
    Recorded,
    /// Only records what would have been done.
    DryRun,
    /// A resolve came before its firing, which is not acted on any more.
    Resolved,
}

/// What a firing did, or would have done.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FiringEffects {
    /// The kills that it pulled, or found in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kills: Vec<KillId>,
    /// Whether any of them was provisional when it was pulled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
    /// The id of the rollback that it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RollbackId>,
    /// The rollouts that it paused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<RolloutId>,
    /// Flags, as they were served and as they were to be served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<FlagTransition>,
}

/// A flag that a firing moves.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlagTransition {
    /// The key of the flag.
    pub key: FlagKey,
    /// Whom it serves what, in words.
    pub from: String,
    /// The same after the action.
    pub to: String,
}

impl FiringState {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acted => "acted",
            Self::Killed => "killed",
            Self::Held => "held",
            Self::Waiting => "waiting",
            Self::Declined => "declined",
            Self::Suppressed => "suppressed",
            Self::Recorded => "recorded",
            Self::DryRun => "dry_run",
            Self::Resolved => "resolved",
        }
    }

    /// Whether something was done, which counts for the cooldown and the hour's limit.
    pub const fn is_action(self) -> bool {
        match self {
            Self::Acted | Self::Killed | Self::Held => true,
            Self::Waiting | Self::Declined | Self::Suppressed | Self::Recorded | Self::DryRun | Self::Resolved => false,
        }
    }

    /// Whether a person may still have it act.
    pub const fn can_be_confirmed(self) -> bool {
        match self {
            Self::Waiting | Self::Suppressed => true,
            Self::Acted | Self::Killed | Self::Held | Self::Declined | Self::Recorded | Self::DryRun | Self::Resolved => false,
        }
    }
}

impl Firing {
    /// When it acted: when it was taken, or when a person confirmed it.
    pub fn acted_at(&self) -> Option<jiff::Timestamp> {
        let at = self.answered.as_ref().map_or(self.at, |answered| answered.at);
        self.state.is_action().then_some(at)
    }

    /// Why no person can have it act any more; `None` where one can.
    pub fn why_not_confirmed(&self, now: jiff::Timestamp) -> Option<String> {
        if !self.state.can_be_confirmed() {
            return Some("it is not waiting for an answer".to_owned());
        }
        if let Some(resolved) = self.resolved {
            return Some(format!("its alert was resolved at {resolved}"));
        }
        match self.answer_by {
            Some(until) if until < now => Some(format!("it expired at {until}")),
            Some(_) | None => None,
        }
    }

    /// Whether repeats of its signal are only counted.
    pub const fn is_open(&self) -> bool {
        self.resolved.is_none()
    }
}

impl Entity for Firing {
    type Key = FiringId;
    const KIND: &'static str = "firing";

    fn parse(json: &str) -> Result<Self, ValidationErrors> {
        serde_json::from_str(json).map_err(|error| ValidationErrors::one("", error.to_string()))
    }
}
