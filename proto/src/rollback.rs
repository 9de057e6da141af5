//! Rollbacks: one commit that restores the flags in its scope to an earlier state, and the record of its result.

use std::collections::BTreeSet;

use crate::actor::Actor;
use crate::check::{CheckOutcome, ScopedCheck};
use crate::confirmation::Confirmation;
use crate::digest::Digest;
use crate::id::RolloutId;
use crate::key::{FlagKey, ReleaseName, SegmentKey, Tag};
use crate::revision::{Epoch, Position, Revision};
use crate::table::Entity;
use crate::validation::ValidationErrors;

pub use crate::id::RollbackId;
pub use crate::target::RollbackTarget;

/// The scope of a rollback.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum RollbackScope {
    /// Every flag, every segment and the settings of the environment.
    Environment,
    /// The changes of a release.
    Release(ReleaseName),
    /// The flags with these keys.
    Flags(BTreeSet<FlagKey>),
    /// Every flag that has one of the tags, now or at the target.
    Tags(BTreeSet<Tag>),
    /// The changes of an earlier rollback, which are undone.
    Rollback(RollbackId),
    /// The changes of a rollout, and of the other rollouts of its release.
    Rollout(RolloutId),
}

/// A rollback from its commit to its end.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rollback {
    /// The rollback's id.
    pub id: RollbackId,
    /// The scope of the rollback.
    pub scope: RollbackScope,
    /// The segment, if the rollback is for its users only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<SegmentKey>,
    /// The state to roll back to.
    pub target: RollbackTarget,
    /// The hash of the plan that it executed.
    pub plan: Digest,
    /// The state of the rollback.
    pub state: RollbackState,
    /// The state in words, and what to do next.
    #[serde(alias = "says")]
    pub message: String,
    /// Who requested it.
    pub by: Actor,
    /// The reason given for the rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The position before its first commit, which undoing it restores.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "1:41"))]
    pub before: Position,
    /// The revision of its newest commit, which the confirmations are about.
    pub revision: Revision,
    /// The epoch of that revision.
    pub epoch: Epoch,
    /// The flags that it changes, over all steps.
    pub flags: BTreeSet<FlagKey>,
    /// The segments that it restores.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub segments: BTreeSet<SegmentKey>,
    /// Flags in its scope that it left as they are because others had changed them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub skipped: BTreeSet<FlagKey>,
    /// Flags whose one-way door was acknowledged.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub acknowledged: BTreeSet<FlagKey>,
    /// Names of checks whose failure beforehand was acknowledged.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub acknowledged_checks: BTreeSet<String>,
    /// What it was allowed to change beyond its scope.
    #[serde(default, alias = "latitude")]
    pub options: RollbackOptions,
    /// The steps, if it is a staged rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ladder: Option<Stages>,
    /// The times of its phases.
    pub phases: PhaseTimes,
    /// Who has confirmed its newest commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
    /// The probes that judge it: those of its flags before the rollback and at the target, of its release,
    /// and of the environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub probes: Vec<ScopedCheck>,
    /// The latest result of each check in each phase.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckOutcome>,
    /// How often variants that fewer users get after the rollback were served between the onset of the problem and the confirmation;
    /// absent while it is not counted yet.
    #[serde(default, alias = "served_bad", skip_serializing_if = "Option::is_none")]
    pub bad_exposure: Option<BadExposure>,
    /// The rollback that undid it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<RollbackId>,
    /// The review that is due afterwards.
    pub review: Review,
}

/// What a rollback may change beyond its scope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct RollbackOptions {
    /// Also roll back flags that others changed since the target.
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub include_conflicts: bool,
    /// Also roll back segments that differ.
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub with_segments: bool,
    /// Allow changes of what a killed flag serves.
    #[serde(alias = "changes_served")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub allow_killed_edit: bool,
}

/// The state of a rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum RollbackState {
    /// Planned, not committed yet.
    Planned,
    /// Committed; waiting for confirmations, checks or further steps.
    Committed,
    /// No connected application is missing, every node was reached, and no check fails. Whether any application was asked is said by
    /// `confirmation.complete`, whether a check was there by `phases.healthy`.
    Confirmed,
    /// Some applications have not confirmed by the deadline; they are named.
    Partial,
    /// A check failed after the rollback or after a step.
    Failed,
    /// A person stopped it before its last step.
    Stopped,
    /// It was undone.
    Undone,
}

impl RollbackState {
    /// Whether it has ended: nothing continues by itself.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Planned | Self::Committed | Self::Partial => false,
            Self::Confirmed | Self::Failed | Self::Stopped | Self::Undone => true,
        }
    }

    /// The name in JSON.
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

/// The steps of a staged rollback.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stages {
    /// Decreasing percentages; after the last one comes the target itself.
    pub steps: Vec<f64>,
    /// Seconds for which each step is held.
    pub every_seconds: u64,
    /// Number of committed steps.
    pub done: u32,
    /// When the next step is due; absent if none is due by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub next_at: Option<jiff::Timestamp>,
    /// Flags that are rolled back completely at the first step, because more than the weights of one split differs.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub whole: BTreeSet<FlagKey>,
}

impl Stages {
    /// Number of commits: one for each step, and one that restores the target.
    pub const fn commits(&self) -> usize {
        self.steps.len() + 1
    }

    /// Whether there are further commits.
    pub const fn is_running(&self) -> bool {
        (self.done as usize) < self.commits()
    }
}

/// When each phase of a rollback was reached.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct PhaseTimes {
    /// When the problem was noticed, if the caller stated it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub detected: Option<jiff::Timestamp>,
    /// When the rollback was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub decided: Option<jiff::Timestamp>,
    /// When its newest commit was durable and served.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub committed: Option<jiff::Timestamp>,
    /// When the last application acknowledged it; absent if none was asked, or one is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub applied: Option<jiff::Timestamp>,
    /// When the checks passed after that; absent without a check.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub healthy: Option<jiff::Timestamp>,
    /// Milliseconds from the request to the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_ms: Option<f64>,
    /// Median milliseconds from the commit to an application's acknowledgement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_p50_ms: Option<f64>,
    /// 99th percentile of milliseconds from the commit to an application's acknowledgement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_p99_ms: Option<f64>,
    /// Milliseconds from the commit to the last application's acknowledgement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_last_ms: Option<f64>,
    /// Milliseconds from the commit until the checks passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy_ms: Option<f64>,
}

/// How often the flags of a rollback were served in their bad state, as reported between the onset and the confirmation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct BadExposure {
    /// Evaluations for real users.
    pub real: u64,
    /// Evaluations for probes and load tests.
    pub synthetic: u64,
    /// Errors that applications reported for real users.
    pub errors_real: u64,
    /// Errors that applications reported for synthetic traffic.
    pub errors_synthetic: u64,
}

impl BadExposure {
    /// The sum of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            real: self.real.saturating_add(other.real),
            synthetic: self.synthetic.saturating_add(other.synthetic),
            errors_real: self.errors_real.saturating_add(other.errors_real),
            errors_synthetic: self.errors_synthetic.saturating_add(other.errors_synthetic),
        }
    }
}

/// The review of a rollback.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Review {
    /// When the review is due.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub due: jiff::Timestamp,
    /// The completed review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<ReviewNote>,
}

impl Review {
    /// Whether the review is overdue at `now`.
    pub fn is_overdue(&self, now: jiff::Timestamp) -> bool {
        self.done.is_none() && self.due < now
    }
}

/// A completed review.
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
    /// The record of a rollback at its first commit, based on the state at `before`: not staged, without flags and reason.
    /// Its review is due `review_seconds` after `decided`.
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
            acknowledged_checks: BTreeSet::new(),
            options: RollbackOptions::default(),
            ladder: None,
            phases: PhaseTimes {
                decided: Some(decided),
                ..PhaseTimes::default()
            },
            confirmation: None,
            probes: Vec::new(),
            checks: Vec::new(),
            bad_exposure: None,
            undone_by: None,
            review: Review {
                due: after(decided, review_seconds),
                done: None,
            },
        }
    }

    /// Whether it is still in progress, so that no other rollback may change its flags.
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

/// The time `seconds` later, at most the latest possible time.
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
