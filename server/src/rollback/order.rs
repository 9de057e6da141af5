//! A rollback as it is asked for.

use std::collections::BTreeSet;

use jiff::Timestamp;
use ripcord_proto::rest::rollbacks::RollbackRequest;
use ripcord_proto::rollback::{Latitude, RollbackId, Scope};
use ripcord_proto::{FlagKey, SegmentKey, TargetName};

/// A rollback as it is asked for.
#[derive(Debug, Clone)]
pub struct Order {
    /// Where to go back to; `None` = where the scope says: a release's baseline, the state before an earlier rollback.
    pub to: Option<TargetName>,
    /// What is put back.
    pub scope: Scope,
    /// Only for users in this segment.
    pub segment: Option<SegmentKey>,
    /// Percentages by which exposure is lowered; empty = at once.
    pub steps: Vec<f64>,
    /// Seconds that each step is held.
    pub every_seconds: u64,
    /// What it may do beyond its scope.
    pub latitude: Latitude,
    /// Flags whose one-way door it passes knowingly.
    pub acknowledged: BTreeSet<FlagKey>,
    /// Why.
    pub reason: Option<String>,
    /// When the trouble was noticed.
    pub detected: Option<Timestamp>,
}

impl Order {
    /// As the body of a request says.
    pub fn of(request: &RollbackRequest) -> Self {
        Self {
            to: request.to.clone(),
            scope: request.scope(),
            segment: request.segment.clone(),
            steps: request.steps.clone(),
            every_seconds: request.every_seconds(),
            latitude: request.latitude,
            acknowledged: request.acknowledge_one_way.clone(),
            reason: request.reason.clone(),
            detected: request.detected_at,
        }
    }

    /// The way forward again from a rollback: back to the state before it.
    pub fn undoing(id: RollbackId) -> Self {
        Self {
            to: None,
            scope: Scope::Rollback(id),
            segment: None,
            steps: Vec::new(),
            every_seconds: 0,
            latitude: Latitude::default(),
            acknowledged: BTreeSet::new(),
            reason: None,
            detected: None,
        }
    }
}
