//! Rollouts: a plan that raises a split step by step, each step held for a while and judged by gates.

mod plan;

use crate::actor::Actor;
use crate::gate::{GateReading, GateSample};
use crate::key::RuleId;
use crate::revision::Position;
use crate::rollback::{RollbackId, RollbackTarget};
use crate::table::Entity;
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
    /// What it waits for, where it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WaitsFor>,
    /// Why it stands so, in words, and what can be done next.
    pub reason: String,
    /// Who started the rollout.
    pub by: Actor,
    /// When the rollout was started.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// What it was started for, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The step in force, from 1; 0 before the first.
    pub step: u32,
    /// Since when the clock of the hold runs; absent while it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub since: Option<jiff::Timestamp>,
    /// Milliseconds of the hold that had run before that.
    #[serde(default)]
    pub held_ms: u64,
    /// When the step in force began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub entered: Option<jiff::Timestamp>,
    /// Since when outcomes count for the gates: when the step began, or went on after a gate had held it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub judged_since: Option<jiff::Timestamp>,
    /// A person's request to begin the next step now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advance: Option<Attribution>,
    /// Approvals, by the step that they are for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// What it moved, and how it left it; absent before the first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<MovedSplit>,
    /// The state before its first step: that to which it goes back, as far as it moved anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<RollbackTarget>,
    /// The rollback that took it back, which holds the proof of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub rollback: Option<RollbackId>,
    /// What the gates said last.
    #[serde(default)]
    pub gates: Vec<GateReading>,
    /// The steps that are over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<PastStep>,
    /// The position of its newest commit that moved the split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "1:41"))]
    pub position: Option<Position>,
    /// When the rollout ended; absent while it is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub finished: Option<jiff::Timestamp>,
}

/// How a rollout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RolloutState {
    /// Its first step is to come.
    Scheduled,
    /// A step is in force and held.
    Holding,
    /// The next step waits for something.
    Waiting,
    /// A person or a gate holds it where it is.
    Paused,
    /// All steps were held to their end.
    Completed,
    /// A person, an edit, a kill or a rollback ended it; exposure stays as it was left.
    Aborted,
    /// Exposure went back to what it was before the first step.
    RolledBack,
    /// It could not go on.
    Failed,
}

/// What the next step waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum WaitsFor {
    /// It waits for a person to approve the next step.
    Approval,
    /// The window to open.
    Window,
    /// Enough outcomes for a gate to say something.
    Samples,
    /// A gate whose figures cannot be had.
    Gate,
    /// The other rollouts of its release.
    Release,
}

impl RolloutState {
    /// Whether it is over.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Scheduled | Self::Holding | Self::Waiting | Self::Paused => false,
            Self::Completed | Self::Aborted | Self::RolledBack | Self::Failed => true,
        }
    }

    /// As it is written.
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
    /// Which step, from 1.
    pub step: u32,
    /// Who approved.
    #[serde(flatten)]
    pub word: Attribution,
}

/// What a rollout moved in its flag, and how it left it: an edit of that ends the rollout, and going back undoes that alone.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MovedSplit {
    /// The rule whose split it raises.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub rule: RuleId,
    /// That rule as it was; absent where the rollout made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub before: Option<serde_json::Value>,
    /// That rule as it left it.
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

/// A step that is over.
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
    /// What the gates said at its end.
    pub gates: Vec<GateReading>,
    /// What they had to go by on the way, by gate; thinned out evenly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looks: Vec<GateHistory>,
}

/// What a gate had to go by during a step.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateHistory {
    /// The name of the gate.
    pub gate: String,
    /// In order of time.
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
