//! The specification of a rollback.

use std::collections::BTreeSet;

use jiff::Timestamp;
use ripcord_proto::rest::rollbacks::RollbackRequest;
use ripcord_proto::rollback::{Rollback, RollbackId, RollbackOptions, RollbackScope, RollbackTarget};
use ripcord_proto::text::listed;
use ripcord_proto::{FlagKey, SegmentKey, TargetName};

/// Most names in the log's reason.
const NAMED: usize = 5;

/// What to roll back, and how.
#[derive(Debug, Clone)]
pub struct RollbackSpec {
    /// The target; `None` = that of the scope: a release's baseline, the state before an earlier rollback.
    pub to: Option<TargetName>,
    /// What is rolled back.
    pub scope: RollbackScope,
    /// Only for users in this segment.
    pub segment: Option<SegmentKey>,
    /// Percentages by which exposure is lowered; empty = at once.
    pub steps: Vec<f64>,
    /// Seconds that each step is held.
    pub every_seconds: u64,
    /// What it may do beyond its scope.
    pub options: RollbackOptions,
    /// Flags whose one-way door it passes knowingly.
    pub acknowledged: BTreeSet<FlagKey>,
    /// Checks that may fail beforehand, by name.
    pub acknowledged_checks: BTreeSet<String>,
    pub reason: Option<String>,
    /// When the trouble was noticed.
    pub detected: Option<Timestamp>,
}

impl RollbackSpec {
    /// As the body of a request says.
    pub fn of(request: &RollbackRequest) -> Self {
        Self {
            to: request.to.clone(),
            scope: request.scope(),
            segment: request.segment.clone(),
            steps: request.steps.clone(),
            every_seconds: request.every_seconds(),
            options: request.execution.options,
            acknowledged: request.execution.acknowledge_one_way.clone(),
            acknowledged_checks: request.execution.acknowledge_checks.clone(),
            reason: request.execution.reason.clone(),
            detected: request.detected_at,
        }
    }

    /// The specification that a record was made from, with the target that was found then.
    pub fn again(record: &Rollback) -> Self {
        let (steps, every_seconds) = record
            .ladder
            .as_ref()
            .map(|stages| (stages.steps.clone(), stages.every_seconds))
            .unwrap_or_default();
        Self {
            to: Some(TargetName::Position(record.target.position())),
            scope: record.scope.clone(),
            segment: record.segment.clone(),
            steps,
            every_seconds,
            options: record.options,
            acknowledged: record.acknowledged.clone(),
            acknowledged_checks: record.acknowledged_checks.clone(),
            reason: record.reason.clone(),
            detected: record.phases.detected,
        }
    }

    /// What it does, for the log: `roll back flags a, b to last good (1:41): 5xx since 14:02`.
    pub fn in_words(&self, target: &RollbackTarget) -> String {
        let scope = match &self.scope {
            RollbackScope::Environment => "the environment".to_owned(),
            RollbackScope::Release(name) => format!("release {name}"),
            RollbackScope::Flags(flags) => format!("flags {}", listed(flags, NAMED)),
            RollbackScope::Tags(tags) => format!("flags tagged {}", listed(tags, NAMED)),
            RollbackScope::Rollback(id) => format!("rollback {id}"),
            RollbackScope::Rollout(id) => format!("rollout {id}"),
        };
        let verb = if matches!(self.scope, RollbackScope::Rollback(_)) {
            "undo"
        } else {
            "roll back"
        };
        let segment = self.segment.as_ref().map(|segment| format!(" for segment {segment}")).unwrap_or_default();
        let target = match &target.checkpoint {
            Some(name) => format!("{name} ({})", target.position()),
            None => target.position().to_string(),
        };
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("{verb} {scope}{segment} to {target}{reason}")
    }

    /// The way forward again from a rollback: back to the state before it.
    pub fn undoing(id: RollbackId) -> Self {
        Self {
            to: None,
            scope: RollbackScope::Rollback(id),
            segment: None,
            steps: Vec::new(),
            every_seconds: 0,
            options: RollbackOptions::default(),
            acknowledged: BTreeSet::new(),
            acknowledged_checks: BTreeSet::new(),
            reason: None,
            detected: None,
        }
    }
}
