//! Roles, and what each may do (DESIGN 7).

use std::fmt;
use std::str::FromStr;

use crate::validation::ValidationErrors;

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read, stream, acknowledge, report outcomes.
    Sdk,
    /// A public key for browsers: OFREP of the flags marked `client`, nothing else.
    Client,
    /// Can read everything and explain evaluations.
    Viewer,
    /// Edit, apply, releases, rollouts, kill.
    Pipeline,
    /// Kill, restore, roll back, stop and approve rollouts, vouch, ping, drill, incidents; no edits.
    Oncall,
    /// What pipeline and oncall may, and triggers, policies.
    Editor,
    /// Everything, keys and environments among it.
    Admin,
}

/// Something that a role may or may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Read the snapshot and stream it, acknowledge, report outcomes.
    Stream,
    /// Have flags evaluated remotely; a public key sees only those that are marked for it.
    Evaluate,
    /// Read flags, segments, commits, connections, confirmations; explain.
    Read,
    /// Change flags and segments.
    Edit,
    /// Make kills.
    Kill,
    /// Restore what was killed, and say afterwards why something was killed.
    Restore,
    /// Create checkpoints.
    Checkpoint,
    /// Vouch for checkpoints, and doubt them.
    Vouch,
    /// Begin, describe and finish releases.
    Release,
    /// Roll back, stop and hurry rollbacks, review them.
    Rollback,
    /// Take a rollback through a flag's one-way door.
    PassOneWay,
    /// Start rollouts, and let them go on.
    Rollout,
    /// Pause, abort and take back rollouts.
    StopRollout,
    /// Approve a step of a rollout.
    ApproveRollout,
    /// Make, change and delete triggers.
    Trigger,
    /// Answer what a trigger asks, and disarm triggers.
    AnswerTrigger,
    /// Approve and decline what others propose, as far as one may do it oneself.
    Decide,
    /// Take back what one has proposed.
    Withdraw,
    /// Send a ping.
    Ping,
    /// Keep the report of a drill.
    Drill,
    /// Set an environment's policy.
    SetPolicy,
    /// Make, list and revoke keys; make, copy and delete environments; set what a whole environment answers by; back up.
    Administer,
}

impl Role {
    /// All roles, least first.
    pub const ALL: [Self; 7] = [Self::Sdk, Self::Client, Self::Viewer, Self::Pipeline, Self::Oncall, Self::Editor, Self::Admin];

    /// Whether a key of this role may do it.
    pub const fn may(self, action: Action) -> bool {
        match action {
            Action::Evaluate => true,
            Action::Stream => !matches!(self, Self::Client),
            Action::Read => !matches!(self, Self::Client | Self::Sdk),
            Action::Decide => self.is_person(),
            Action::Withdraw => matches!(self, Self::Pipeline | Self::Oncall | Self::Editor | Self::Admin),
            Action::Edit => matches!(self, Self::Pipeline | Self::Editor | Self::Admin),
            Action::Checkpoint | Action::Drill => matches!(self, Self::Pipeline | Self::Oncall | Self::Editor | Self::Admin),
            Action::Kill | Action::StopRollout => matches!(self, Self::Pipeline | Self::Oncall | Self::Editor | Self::Admin),
            Action::Release | Action::Rollout => matches!(self, Self::Pipeline | Self::Editor | Self::Admin),
            Action::Restore | Action::Vouch | Action::Rollback | Action::PassOneWay | Action::Ping | Action::ApproveRollout | Action::AnswerTrigger => {
                matches!(self, Self::Oncall | Self::Editor | Self::Admin)
            }
            Action::SetPolicy | Action::Trigger => matches!(self, Self::Editor | Self::Admin),
            Action::Administer => matches!(self, Self::Admin),
        }
    }

    /// Whether a person is behind it, who may prepare the mend of a killed flag; a pipeline may not.
    pub const fn is_person(self) -> bool {
        matches!(self, Self::Oncall | Self::Editor | Self::Admin)
    }

    /// As it is written in keys and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sdk => "sdk",
            Self::Client => "client",
            Self::Viewer => "viewer",
            Self::Pipeline => "pipeline",
            Self::Oncall => "oncall",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 22] = [
        Self::Stream,
        Self::Evaluate,
        Self::Read,
        Self::Edit,
        Self::Kill,
        Self::Restore,
        Self::Checkpoint,
        Self::Vouch,
        Self::Release,
        Self::Rollback,
        Self::PassOneWay,
        Self::Rollout,
        Self::StopRollout,
        Self::ApproveRollout,
        Self::Trigger,
        Self::AnswerTrigger,
        Self::Decide,
        Self::Withdraw,
        Self::Ping,
        Self::Drill,
        Self::SetPolicy,
        Self::Administer,
    ];

    /// The roles that may do it.
    pub fn roles(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| role.may(self))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = ValidationErrors;

    fn from_str(text: &str) -> Result<Self, ValidationErrors> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|role| role.as_str()).collect();
            ValidationErrors::one("role", format!("{text:?} is not a role; choose from {}", known.join(", ")))
        })
    }
}
