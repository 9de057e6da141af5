//! Environment policy: required protection and automation.

use std::collections::BTreeSet;
use std::fmt;

use crate::check::Check;
use crate::table::Entity;
use crate::trigger::TriggerMode;
use crate::validation::ValidationErrors;

/// An environment's policy. It determines who may do what and when, and has no effect on evaluations.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Whether raising exposure above zero requires an open release with all details.
    pub protection: Protection,
    /// Seconds without a change, with all probes passing and nothing killed, after which the current state is automatically
    /// marked known-good; absent = only people and pipelines mark it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vouch_after_seconds: Option<u64>,
    /// Checks that every rollback in this environment runs.
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
    /// Whether the person who started a rollout may approve its steps; yes if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approve_own: Option<bool>,
    /// The address of Prometheus for gates that do not name one: `http://127.0.0.1:9090`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<String>,
    /// What triggers do when they fire; `ask` if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triggers: Option<TriggerMode>,
    /// Operations that need a second person. They wait as proposals until a different person with a different key approves them.
    /// Kills, pauses, stops and rollbacks of rollouts never wait.
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
    /// Starting and resuming rollouts, and beginning a step early.
    Rollouts,
    /// Rollbacks, and undoing them.
    Rollback,
    /// Restores of killed flags.
    Restore,
}

impl GuardedOperation {
    /// All operations that can require a second person.
    pub const ALL: [Self; 4] = [Self::Changes, Self::Rollouts, Self::Rollback, Self::Restore];

    /// The name in JSON.
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
    /// Raising exposure above zero requires a release with all details.
    Protected,
}

/// Who may approve a step of a rollout, among people with a suitable role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approvers {
    /// Anyone, including the person who started it.
    Anyone,
    /// Anyone except the person who started it.
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
            Some(true) | None => Approvers::Anyone,
        }
    }

    /// Seconds after which an undecided proposal expires.
    pub fn proposals_expire_seconds(&self) -> u64 {
        self.proposals_expire_seconds.unwrap_or(24 * 60 * 60)
    }

    /// Whether replacing this policy by `next` needs a second person: if changes do, or if `next` requires one for fewer operations.
    pub fn guards_itself_against(&self, next: &Self) -> bool {
        // Actions that triggers may take automatically then need no second person.
        let unleashes = self.second_person.contains(&GuardedOperation::Rollback) && next.triggers() > self.triggers();
        self.second_person.contains(&GuardedOperation::Changes) || !self.second_person.is_subset(&next.second_person) || unleashes
    }
}

/// The key of a record of which an environment has only one, written `environment`.
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
