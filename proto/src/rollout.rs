//! Rollouts: a plan raises the weight of a variant step by step; each step is held for a while and judged by gates.

mod plan;

use crate::actor::Actor;
use crate::diff::UserShare;
use crate::gate::{GateReading, GateSample};
use crate::id::RollbackId;
use crate::key::RuleId;
use crate::revision::Position;
use crate::table::Entity;
use crate::target::RollbackTarget;
use crate::validation::ValidationErrors;

pub use crate::actor::Attribution;
pub use crate::id::RolloutId;

pub use self::plan::{Day, Exposure, Hours, RolloutPlan, RolloutStep, RolloutWindow};

/// A rollout from its start to its end.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rollout {
    /// The rollout's id.
    pub id: RolloutId,
    /// The plan that the rollout follows.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub plan: RolloutPlan,
    /// The state of the rollout.
    pub state: RolloutState,
    /// What it waits for, if it is waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WaitsFor>,
    /// Why it is in this state, in words, and what to do next.
    pub reason: String,
    /// Who started the rollout.
    pub by: Actor,
    /// When the rollout was started.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// The reason given for the rollout, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The number of the current step, from 1; 0 before the first.
    pub step: u32,
    /// When the hold started or resumed; absent while it is not running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub since: Option<jiff::Timestamp>,
    /// Milliseconds of the hold that passed before that.
    #[serde(default)]
    pub held_ms: u64,
    /// When the current step began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub entered: Option<jiff::Timestamp>,
    /// Since when outcomes count for the gates: the start of the step, or its resumption after a gate held it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub judged_since: Option<jiff::Timestamp>,
    /// A person's request to begin the next step now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advance: Option<Attribution>,
    /// Approvals, by the step that they are for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// What it changed in the flag, as it left it; absent before the first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<MovedSplit>,
    /// The state before its first step. Rolling back restores it, limited to what the rollout changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<RollbackTarget>,
    /// The rollback that reverted it; its record contains the confirmations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub rollback: Option<RollbackId>,
    /// How many users got a different variant through the current step; absent before the first step, and if it could not be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<UserShare>,
    /// The latest results of the gates.
    #[serde(default)]
    pub gates: Vec<GateReading>,
    /// The steps that are over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<PastStep>,
    /// The position of its newest commit that changed exposure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "1:41"))]
    pub position: Option<Position>,
    /// When the rollout ended; absent while it is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub finished: Option<jiff::Timestamp>,
}

/// The state of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RolloutState {
    /// The first step has not begun.
    Scheduled,
    /// A step is in force and held.
    Holding,
    /// The next step waits for something.
    Waiting,
    /// A person or a gate paused it.
    Paused,
    /// All steps were completed.
    Completed,
    /// A person, an edit, a kill or a rollback ended it; exposure stays as it was.
    Aborted,
    /// Exposure was restored to what it was before the first step.
    RolledBack,
    /// It could not continue.
    Failed,
}

/// What the next step waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum WaitsFor {
    /// It waits for a person to approve the next step.
    Approval,
    /// It waits for its window to open.
    Window,
    /// It waits for enough samples for a gate.
    Samples,
    /// It waits for a gate that cannot be evaluated.
    Gate,
    /// It waits for the other rollouts of its release.
    Release,
}

impl RolloutState {
    /// Whether the rollout has ended.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Scheduled | Self::Holding | Self::Waiting | Self::Paused => false,
            Self::Completed | Self::Aborted | Self::RolledBack | Self::Failed => true,
        }
    }

    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Holding => "holding",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Aborted => "aborted",
            Self::RolledBack => "rolled_back",
            Self::Failed => "failed",
        }
    }
}

/// An approval of a step.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Approval {
    /// The number of the step, from 1.
    pub step: u32,
    /// Who approved.
    #[serde(flatten)]
    pub word: Attribution,
}

/// What a rollout changed in its flag, as it left it. An edit of this ends the rollout, and rolling back restores this alone.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MovedSplit {
    /// The rule whose split it changes.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub rule: RuleId,
    /// The rule before the rollout; absent if the rollout added it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub before: Option<serde_json::Value>,
    /// The rule as the rollout left it.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub left: serde_json::Value,
    /// The rules that it added for segments, as it left them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub added: Vec<serde_json::Value>,
    /// The variant whose share it lowers.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub control: crate::key::VariantName,
}

/// A completed step.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PastStep {
    /// The number of the step, from 1.
    pub step: u32,
    /// When the step began.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub entered: jiff::Timestamp,
    /// When the step ended.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub left: jiff::Timestamp,
    /// How many users got a different variant through it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<UserShare>,
    /// The results of the gates at its end.
    pub gates: Vec<GateReading>,
    /// The data of each gate during the step, thinned out evenly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looks: Vec<GateHistory>,
}

/// The data of a gate during a step.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateHistory {
    /// The name of the gate.
    pub gate: String,
    /// The samples in order of time.
    pub looks: Vec<GateSample>,
}

impl Rollout {
    /// The approval of a step, if any.
    pub fn approval(&self, step: u32) -> Option<&Approval> {
        self.approvals.iter().find(|approval| approval.step == step)
    }
}

impl Entity for Rollout {
    type Key = RolloutId;
    const KIND: &'static str = "rollout";

    fn parse(json: &str) -> Result<Self, ValidationErrors> {
        serde_json::from_str(json).map_err(|error| ValidationErrors::one("", error.to_string()))
    }
}
