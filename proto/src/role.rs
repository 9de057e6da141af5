//! Roles, and what each of them may do.

use std::fmt;
use std::str::FromStr;

use crate::validation::ValidationErrors;

/// The role of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// For applications: read, stream, acknowledge, report outcomes.
    Sdk,
    /// A public key for browsers: evaluates flags marked `client` over OFREP, nothing else.
    Client,
    /// Can read everything and explain evaluations.
    Viewer,
    /// For pipelines: edit, apply, manage releases and rollouts, kill.
    Pipeline,
    /// For people on call: kill, restore, roll back, stop and approve rollouts, mark checkpoints, ping and drill, but not edit.
    Oncall,
    /// Everything that `pipeline` and `oncall` may do, plus triggers and policies.
    Editor,
    /// Everything, including keys and environments, except what only an application can know.
    Admin,
}

/// An action that a role may or may not perform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Read the snapshot and stream it.
    Stream,
    /// Acknowledge what it evaluates at, and report outcomes: what only an application can know.
    Report,
    /// Evaluate flags remotely; a public key sees only flags marked for it.
    Evaluate,
    /// Read flags, segments, commits, connections, confirmations; explain.
    Read,
    /// Change flags and segments.
    Edit,
    /// Make kills.
    Kill,
    /// Restore kills, and add the reason of a kill later.
    Restore,
    /// Create checkpoints.
    Checkpoint,
    /// Mark checkpoints as known-good or doubted.
    Vouch,
    /// Begin, describe and finish releases.
    Release,
    /// Roll back; stop, speed up and review rollbacks.
    Rollback,
    /// Roll back across a flag's one-way door.
    PassOneWay,
    /// Start and resume rollouts.
    Rollout,
    /// Pause, abort and roll back rollouts.
    StopRollout,
    /// Approve a step of a rollout.
    ApproveRollout,
    /// Create, change and delete triggers.
    Trigger,
    /// Confirm or decline firings, and disarm triggers.
    AnswerTrigger,
    /// Approve and decline proposals of others, if the role may make the change itself.
    Decide,
    /// Withdraw one's own proposals.
    Withdraw,
    /// Send a ping.
    Ping,
    /// Save the report of a drill.
    Drill,
    /// Set an environment's policy.
    SetPolicy,
    /// Create, list and revoke keys; create, copy and delete environments; change an environment's settings; back up.
    Administer,
}

impl Role {
    /// All roles, from the least to the most powerful.
    pub const ALL: [Self; 7] = [Self::Sdk, Self::Client, Self::Viewer, Self::Pipeline, Self::Oncall, Self::Editor, Self::Admin];

    /// Whether a key of this role may perform the action.
    pub const fn may(self, action: Action) -> bool {
        match action {
            Action::Evaluate => true,
            Action::Stream => !matches!(self, Self::Client),
            Action::Report => matches!(self, Self::Sdk),
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

    /// Whether the key belongs to a person. People may edit what a killed flag serves; pipelines may not.
    pub const fn is_person(self) -> bool {
        matches!(self, Self::Oncall | Self::Editor | Self::Admin)
    }

    /// The name in keys and JSON.
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
    pub const ALL: [Self; 23] = [
        Self::Stream,
        Self::Report,
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

    /// The roles that may perform the action.
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
