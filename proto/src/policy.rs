//! Environment policy: required protection and automation.

use std::collections::BTreeSet;
use std::fmt;

use crate::check::Check;
use crate::table::Entity;
use crate::trigger::TriggerMode;
use crate::validation::ValidationErrors;

/// An environment's policy. It decides who may do what and when, never what a flag answers.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Whether exposure above zero needs an open release that says what it is, how it is judged and how it is taken back.
    pub protection: Protection,
    /// Seconds without a change of content, all probes green and nothing killed, after which the environment vouches for its
    /// state by itself; absent = only people and pipelines vouch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vouch_after_seconds: Option<u64>,
    /// Probes that every rollback here asks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// Seconds within which a rollback must be confirmed; 30 if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm_within_seconds: Option<u64>,
    /// Seconds between two pings that the server sends by itself; absent = none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping_every_seconds: Option<u64>,
    /// Seconds after a rollback within which its review is due; three days if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_within_seconds: Option<u64>,
    /// Whether the one who started a rollout may approve its steps too; yes if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approve_own: Option<bool>,
    /// Where Prometheus answers the gates that do not say it themselves: `http://127.0.0.1:9090`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<String>,
    /// What triggers do when they fire; `ask` if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triggers: Option<TriggerMode>,
    /// What needs a second person: asked for by one, it waits as a proposal until the holder of another key approves it. What
    /// limits harm never does: kills, pauses, stops, and the rollback of a rollout.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub second_person: BTreeSet<GuardedOperation>,
    /// Seconds after which an undecided proposal expires; a day if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposals_expire_seconds: Option<u64>,
}

/// Something that may need a second person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum GuardedOperation {
    /// Changes of flags, segments, settings and the policy: edits, commits, applies, promotions.
    Changes,
    /// Rollouts: to start one, to let one go on that was held, to begin a step before its time.
    Rollouts,
    /// Rollbacks, and rolling forward again.
    Rollback,
    /// Restores of what was killed.
    Restore,
}

impl GuardedOperation {
    /// All operations that can require a second person.
    pub const ALL: [Self; 4] = [Self::Changes, Self::Rollouts, Self::Rollback, Self::Restore];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::Rollouts => "rollouts",
            Self::Rollback => "rollback",
            Self::Restore => "restore",
        }
    }
}

impl fmt::Display for GuardedOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for GuardedOperation {
    type Err = ValidationErrors;

    fn from_str(text: &str) -> Result<Self, ValidationErrors> {
        Self::ALL.into_iter().find(|guarded| guarded.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            ValidationErrors::one("", format!("{text:?} cannot require a second person; choose from {known}"))
        })
    }
}

/// Whether an environment is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// Exposure may be raised freely.
    #[default]
    Open,
    /// Exposure above zero needs a complete release.
    Protected,
}

/// Who may approve a step of a rollout, among those whose role may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approvers {
    /// Anyone, including the person who started it.
    Anybody,
    /// Anyone but the person who started it.
    NotTheStarter,
}

impl Policy {
    /// Seconds within which a rollback must be confirmed.
    pub fn confirm_within_seconds(&self) -> u64 {
        self.confirm_within_seconds.unwrap_or(30)
    }

    /// Seconds after a rollback within which its review is due.
    pub fn review_within_seconds(&self) -> u64 {
        self.review_within_seconds.unwrap_or(3 * 24 * 60 * 60)
    }

    /// What triggers do when they fire.
    pub fn triggers(&self) -> TriggerMode {
        self.triggers.unwrap_or(TriggerMode::Ask)
    }

    /// Who may approve a step of a rollout.
    pub fn approvers(&self) -> Approvers {
        match self.approve_own {
            _ if self.second_person.contains(&GuardedOperation::Rollouts) => Approvers::NotTheStarter,
            Some(false) => Approvers::NotTheStarter,
            Some(true) | None => Approvers::Anybody,
        }
    }

    /// Seconds after which an undecided proposal expires.
    pub fn proposals_expire_seconds(&self) -> u64 {
        self.proposals_expire_seconds.unwrap_or(24 * 60 * 60)
    }

    /// Whether putting `next` in its place needs a second person: where changes do, and wherever less would need one.
    pub fn guards_itself_against(&self, next: &Self) -> bool {
        // What triggers may do by themselves needs no second person then.
        let unleashes = self.second_person.contains(&GuardedOperation::Rollback) && next.triggers() > self.triggers();
        self.second_person.contains(&GuardedOperation::Changes) || !self.second_person.is_subset(&next.second_person) || unleashes
    }
}

/// The key of a record of which an environment has one: it is written `environment`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SingletonKey;

const SINGLE: &str = "environment";

impl std::borrow::Borrow<str> for SingletonKey {
    fn borrow(&self) -> &str {
        SINGLE
    }
}

impl fmt::Display for SingletonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SINGLE)
    }
}

impl std::str::FromStr for SingletonKey {
    type Err = ValidationErrors;

    fn from_str(text: &str) -> Result<Self, ValidationErrors> {
        if text == SINGLE {
            return Ok(Self);
        }
        Err(ValidationErrors::one("", format!("{text:?} is not {SINGLE:?}")))
    }
}

impl Entity for Policy {
    type Key = SingletonKey;
    const KIND: &'static str = "policy";

    fn parse(json: &str) -> Result<Self, ValidationErrors> {
        serde_json::from_str(json).map_err(|error| ValidationErrors::one("", error.to_string()))
    }
}
