//! Rollbacks: one commit that puts the flags in its scope back to a checkpoint's state, and the proof of what came of it.

use std::collections::BTreeSet;

use crate::actor::Actor;
use crate::check::{CheckOutcome, ScopedCheck};
use crate::confirmation::Confirmation;
use crate::digest::Digest;
use crate::key::{FlagKey, ReleaseName, SegmentKey, Tag};
use crate::revision::{Epoch, Position, Revision};
use crate::rollout::RolloutId;
use crate::table::Entity;
use crate::validation::ValidationErrors;

pub use crate::id::RollbackId;
pub use crate::target::RollbackTarget;

/// What a rollback puts back.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum RollbackScope {
    /// Every flag, every segment and the settings of the environment.
    Environment,
    /// What a release changed.
    Release(ReleaseName),
    /// The flags with these keys.
    Flags(BTreeSet<FlagKey>),
    /// Every flag that carries one of the tags, now or at the target.
    Tags(BTreeSet<Tag>),
    /// What an earlier rollback changed: the way forward again.
    Rollback(RollbackId),
    /// What a rollout changed, and with it the other rollouts of its release.
    Rollout(RolloutId),
}

/// A rollback from its commit to its end.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rollback {
    /// The rollback's id.
    pub id: RollbackId,
    /// What it puts back.
    pub scope: RollbackScope,
    /// Only for users in this segment, where it was asked so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<SegmentKey>,
    /// The state to roll back to.
    pub target: RollbackTarget,
    /// The hash of the plan that it did.
    pub plan: Digest,
    /// The state of the rollback.
    pub state: RollbackState,
    /// Why it stands so, in words, and what can be done next.
    #[serde(alias = "says")]
    pub message: String,
    /// Who asked for it.
    pub by: Actor,
    /// The reason given for the rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The state before its first commit, to which undoing it leads.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "1:41"))]
    pub before: Position,
    /// The revision of its newest commit: the one that is confirmed.
    pub revision: Revision,
    /// The epoch of that revision.
    pub epoch: Epoch,
    /// The flags that it changes, over all steps.
    pub flags: BTreeSet<FlagKey>,
    /// The segments that it puts back.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub segments: BTreeSet<SegmentKey>,
    /// Flags in its scope that it left as they are, because others had changed them since.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub skipped: BTreeSet<FlagKey>,
    /// Flags whose one-way door it was told to pass.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub acknowledged: BTreeSet<FlagKey>,
    /// What it was told to do beyond its scope.
    #[serde(default)]
    pub latitude: RollbackOptions,
    /// The ladder, where it goes down step by step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ladder: Option<Stages>,
    /// The phases, timed apart.
    pub phases: PhaseTimes,
    /// Who has confirmed its newest commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
    /// The probes that say how it goes: those of its flags as they were before it and as they are at the target, of its release,
    /// and of the environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub probes: Vec<ScopedCheck>,
    /// What the checks said when they were asked last on each occasion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckOutcome>,
    /// How often the bad state was served between onset and confirmation.
    #[serde(default, alias = "served_bad")]
    pub bad_exposure: BadExposure,
    /// The rollback that undid it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<RollbackId>,
    /// The review that falls due after it.
    pub review: Review,
}

/// What a rollback was told to do beyond the plain way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct RollbackOptions {
    /// Flags that others have changed since go back too.
    pub include_conflicts: bool,
    /// Segments that differ go back too.
    pub with_segments: bool,
    /// What a killed flag serves may change.
    #[serde(alias = "changes_served")]
    pub allow_killed_edit: bool,
}

/// How a rollback stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum RollbackState {
    /// Nothing is committed yet: a plan.
    Planned,
    /// Its commit is made; confirmations, checks or further steps are awaited.
    Committed,
    /// Every connected application has acknowledged it and the checks pass.
    Confirmed,
    /// Some applications are missing after the deadline; they are named.
    Partial,
    /// A check says that service is not restored, or a step was stopped by one.
    Failed,
    /// It was stopped by a person before its last step.
    Stopped,
    /// It was rolled forward again.
    Undone,
}

impl RollbackState {
    /// Whether it is over: nothing continues by itself.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Planned | Self::Committed | Self::Partial => false,
            Self::Confirmed | Self::Failed | Self::Stopped | Self::Undone => true,
        }
    }

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Committed => "committed",
            Self::Confirmed => "confirmed",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Undone => "undone",
        }
    }
}

/// A way down in steps.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stages {
    /// Percentages, falling; after the last comes the target itself.
    pub steps: Vec<f64>,
    /// Seconds that each is held.
    pub every_seconds: u64,
    /// How many were committed.
    pub done: u32,
    /// When the next is due; absent where nothing is due by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub next_at: Option<jiff::Timestamp>,
    /// Flags that go back whole at the first step, because a split's weights do not say how they differ.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub whole: BTreeSet<FlagKey>,
}

impl Stages {
    /// How many commits it makes: one for each step, and the one that reaches the target.
    pub const fn commits(&self) -> usize {
        self.steps.len() + 1
    }

    /// Whether commits are still to come.
    pub const fn is_running(&self) -> bool {
        (self.done as usize) < self.commits()
    }
}

/// The phases of a rollback: when each was reached.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct PhaseTimes {
    /// When the trouble began, as far as the caller said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub detected: Option<jiff::Timestamp>,
    /// When the rollback was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub decided: Option<jiff::Timestamp>,
    /// When its newest commit was durable and served.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub committed: Option<jiff::Timestamp>,
    /// When the last application had acknowledged it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub applied: Option<jiff::Timestamp>,
    /// When the checks had passed after that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub healthy: Option<jiff::Timestamp>,
    /// Milliseconds from the decision to the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_ms: Option<f64>,
    /// Milliseconds from the commit to an application's acknowledgement: the median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_p50_ms: Option<f64>,
    /// Milliseconds from the commit until 99 % of the applications had applied it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_p99_ms: Option<f64>,
    /// Milliseconds from the commit until the last application had applied it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_last_ms: Option<f64>,
    /// Milliseconds from the commit to healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy_ms: Option<f64>,
}

/// How often the flags of a rollback were served in their bad state, as applications reported it between onset and confirmation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct BadExposure {
    /// Evaluations for real users.
    pub real: u64,
    /// Evaluations for probes and load tests.
    pub synthetic: u64,
    /// Errors that applications reported with them, real traffic.
    pub errors_real: u64,
    /// The same, synthetic traffic.
    pub errors_synthetic: u64,
}

/// A look back at a rollback by people.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Review {
    /// When the review is due.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub due: jiff::Timestamp,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<ReviewNote>,
}

impl Review {
    /// Whether it should have been made by `now`.
    pub fn is_overdue(&self, now: jiff::Timestamp) -> bool {
        self.done.is_none() && self.due < now
    }
}

/// A review that was made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReviewNote {
    /// Who recorded the review.
    pub by: Actor,
    /// When the review was recorded.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// What the review found.
    pub note: String,
}

impl Rollback {
    /// A rollback as it is with its first commit, which is made on the state at `before`: whole, of nothing yet, with no reason.
    /// Its review falls due `review_seconds` after `decided`.
    pub fn begun(
        id: RollbackId,
        scope: RollbackScope,
        target: RollbackTarget,
        before: Position,
        by: Actor,
        decided: jiff::Timestamp,
        review_seconds: u64,
    ) -> Self {
        Self {
            message: format!("Waiting for the applications to confirm it. Follow it with `ripcord rollback show {id}`."),
            id,
            scope,
            segment: None,
            target,
            plan: Digest::ZERO,
            state: RollbackState::Committed,
            by,
            reason: None,
            before,
            revision: Revision::default(),
            epoch: Epoch::default(),
            flags: BTreeSet::new(),
            segments: BTreeSet::new(),
            skipped: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            latitude: RollbackOptions::default(),
            ladder: None,
            phases: PhaseTimes {
                decided: Some(decided),
                ..PhaseTimes::default()
            },
            confirmation: None,
            probes: Vec::new(),
            checks: Vec::new(),
            bad_exposure: BadExposure::default(),
            undone_by: None,
            review: Review {
                due: after(decided, review_seconds),
                done: None,
            },
        }
    }

    /// Whether it still has its flags to itself: its proof or further steps are awaited.
    pub fn is_live(&self) -> bool {
        match self.state {
            RollbackState::Committed => true,
            RollbackState::Partial => self.ladder.as_ref().is_some_and(Stages::is_running),
            RollbackState::Planned | RollbackState::Confirmed | RollbackState::Failed | RollbackState::Stopped | RollbackState::Undone => false,
        }
    }

    /// The position of its newest commit.
    pub const fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            revision: self.revision,
        }
    }
}

/// So many seconds later, or the end of time.
fn after(at: jiff::Timestamp, seconds: u64) -> jiff::Timestamp {
    let span = jiff::SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    at.checked_add(span).unwrap_or(jiff::Timestamp::MAX)
}

impl Entity for Rollback {
    type Key = RollbackId;
    const KIND: &'static str = "rollback";

    fn parse(json: &str) -> Result<Self, ValidationErrors> {
        serde_json::from_str(json).map_err(|error| ValidationErrors::one("", error.to_string()))
    }
}
