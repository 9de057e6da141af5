//! The actions of triggers.

use std::collections::BTreeSet;
use std::fmt;

use crate::key::{FlagKey, ReleaseName};
use crate::target::TargetName;
use crate::text::listed;

/// The action of a trigger.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum TriggerAction {
    /// Pauses live rollouts.
    Hold(FlagSelection),
    /// Rolls flags back.
    Rollback(TriggerRollback),
    /// Kills flags.
    Kill(FlagSelection),
}

/// Flags by key. If empty: all live rollouts for a hold, and the rollout's own flag for a gate.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlagSelection {
    /// The keys of the selected flags.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub flags: BTreeSet<FlagKey>,
}

/// The rollback that a trigger makes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TriggerRollback {
    /// What is rolled back.
    pub scope: TriggerRollbackScope,
    /// The target; if omitted, the baseline for a release, and `last-known-good` for everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<TargetName>,
}

/// The scope of a trigger's rollback: `"open_release"`, `"environment"`, `{"release": …}` or `{"flags": […]}`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TriggerRollbackScope {
    /// The changes of the release that is open when the trigger fires; of the newest if there are several.
    OpenRelease,
    /// The changes of this release.
    Release(ReleaseName),
    /// The flags with these keys.
    Flags(BTreeSet<FlagKey>),
    /// The whole environment.
    Environment,
}

impl TriggerAction {
    /// `hold`, `rollback`, `kill`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Hold(_) => "hold",
            Self::Rollback(_) => "rollback",
            Self::Kill(_) => "kill",
        }
    }
}

impl fmt::Display for TriggerAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hold(names) if names.flags.is_empty() => f.write_str("hold the live rollouts"),
            Self::Hold(names) => write!(f, "hold the rollouts of {}", listed(&names.flags, usize::MAX)),
            Self::Kill(names) if names.flags.is_empty() => f.write_str("kill the rollout's flag"),
            Self::Kill(names) => write!(f, "kill {}", listed(&names.flags, usize::MAX)),
            Self::Rollback(back) => {
                match &back.scope {
                    TriggerRollbackScope::OpenRelease => f.write_str("roll back the open release")?,
                    TriggerRollbackScope::Release(name) => write!(f, "roll back release {name}")?,
                    TriggerRollbackScope::Flags(flags) => write!(f, "roll back {}", listed(flags, usize::MAX))?,
                    TriggerRollbackScope::Environment => f.write_str("roll back the environment")?,
                }
                match (&back.to, &back.scope) {
                    (Some(to), _) => write!(f, " to {to}"),
                    (None, TriggerRollbackScope::OpenRelease | TriggerRollbackScope::Release(_)) => f.write_str(" to its baseline"),
                    (None, TriggerRollbackScope::Flags(_) | TriggerRollbackScope::Environment) => f.write_str(" to last-known-good"),
                }
            }
        }
    }
}
