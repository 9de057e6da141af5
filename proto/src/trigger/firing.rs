//! Firings: a trigger that fired on a signal, and the result. There is one record for each incident.

use std::collections::BTreeMap;

use super::action::TriggerAction;
use crate::diff::PlanConflict;
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
    /// Identifies the incident: Alertmanager's group, PagerDuty's incident.
    pub group: String,
    /// A summary of the signal: `HighErrorRate, severity=page`.
    pub summary: String,
    /// The labels of the signal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Since when the alert fires, as of the newest signal.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub started: jiff::Timestamp,
    /// When the signal was received.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// The node that received the signal.
    pub node: String,
    /// The action of the trigger.
    pub action: TriggerAction,
    /// The result.
    pub state: FiringState,
    /// The result in words, and what to do next.
    #[serde(alias = "says")]
    pub message: String,
    /// The effects of the trigger's action.
    #[serde(default)]
    pub effects: FiringEffects,
    /// Until when a person may confirm it, if it waits or was suppressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub answer_by: Option<jiff::Timestamp>,
    /// The answer of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Attribution>,
    /// Number of repeated signals while it was open.
    #[serde(default)]
    pub repeats: u64,
    /// When the alert was resolved, according to its signal; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub resolved: Option<jiff::Timestamp>,
    /// SHA-256 of the delivery that caused it.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub delivery: Digest,
}

/// The result of a firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FiringState {
    /// The action was taken.
    Acted,
    /// The store was unavailable, so the flags were killed instead of rolled back.
    Killed,
    /// The action was refused, so the live rollouts of its scope were paused instead.
    Held,
    /// It waits for a person to confirm it.
    Waiting,
    /// A person declined it.
    Declined,
    /// The cooldown or the limit per hour suppressed it.
    Suppressed,
    /// The mode is off: it was only recorded.
    Recorded,
    /// A dry run: it recorded what would have been done.
    DryRun,
    /// The alert was resolved before it arrived, so nothing was done.
    Resolved,
}

/// The effects of a firing, or those that it would have had.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FiringEffects {
    /// The kills that it made, or that were already in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kills: Vec<KillId>,
    /// Whether any of them was provisional when it was made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
    /// The id of the rollback that it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RollbackId>,
    /// The rollouts that it paused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<RolloutId>,
    /// The flags that it changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<FlagTransition>,
    /// What a rollback leaves as it is although it is in its scope, because others have changed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<PlanConflict>,
}

/// A flag that a firing changes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlagTransition {
    /// The key of the flag.
    pub key: FlagKey,
    /// What it serves to whom before the action, in words.
    pub from: String,
    /// What it serves to whom after the action, in words.
    pub to: String,
}

impl FiringState {
    /// The name in JSON.
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

    /// Whether an action was taken, which counts towards the cooldown and the limit per hour.
    pub const fn is_action(self) -> bool {
        match self {
            Self::Acted | Self::Killed | Self::Held => true,
            Self::Waiting | Self::Declined | Self::Suppressed | Self::Recorded | Self::DryRun | Self::Resolved => false,
        }
    }

    /// Whether a person can still confirm it.
    pub const fn can_be_confirmed(self) -> bool {
        match self {
            Self::Waiting | Self::Suppressed => true,
            Self::Acted | Self::Killed | Self::Held | Self::Declined | Self::Recorded | Self::DryRun | Self::Resolved => false,
        }
    }
}

impl Firing {
    /// When it acted: when the signal was received, or when a person confirmed it.
    pub fn acted_at(&self) -> Option<jiff::Timestamp> {
        let at = self.answered.as_ref().map_or(self.at, |answered| answered.at);
        self.state.is_action().then_some(at)
    }

    /// Why it can no longer be confirmed; `None` if it can.
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
