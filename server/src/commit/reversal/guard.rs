//! What prevents a rollback: another rollback in progress, a one-way door, a state that rules cannot express, or nothing to roll
//! back.

use std::collections::BTreeSet;

use ripcord_proto::record::Records;
use ripcord_proto::rollback::{Rollback, RollbackScope};
use ripcord_proto::{FlagKey, Revision};

use super::super::error::GuardRefusal;
use super::super::state::EnvironmentState;
use super::{Reversal, ReversalDecision};

impl Reversal {
    /// Refuses a rollback that is not allowed. Kills and references are checked elsewhere.
    pub(super) fn check(&self, decision: &ReversalDecision, state: &EnvironmentState) -> Result<(), GuardRefusal> {
        if !decision.cannot.is_empty() {
            return Err(GuardRefusal::CannotExpress(decision.cannot.clone()));
        }
        if let Some(other) = under_way(&state.records, &self.record, &self.flags(decision, &state.snapshot)) {
            return Err(GuardRefusal::RollbackInProgress(Box::new(other.clone())));
        }
        let shut = decision.doors.iter().filter(|door| !self.record.acknowledged.contains(&door.flag));
        let shut: Vec<_> = shut.cloned().collect();
        if !shut.is_empty() {
            return Err(GuardRefusal::OneWay(shut));
        }
        let first = self.record.revision == Revision::default();
        if first && decision.is_empty() {
            return Err(match decision.conflicts.is_empty() {
                _ if decision.reached == 0 => GuardRefusal::EmptyScope,
                true => GuardRefusal::NothingToRollBack { matching: decision.reached },
                false => GuardRefusal::OnlyConflicts(decision.skipped().into_iter().collect()),
            });
        }
        Ok(())
    }
}

/// The rollback in progress that has reserved one of `flags`, if there is one.
pub fn under_way<'a>(records: &'a Records, own: &Rollback, flags: &BTreeSet<FlagKey>) -> Option<&'a Rollback> {
    let others = records.rollbacks.values();
    let mut live = others.filter(|other| other.id != own.id && other.is_live() && own.scope != RollbackScope::Rollback(other.id.clone()));
    live.find(|other| !other.flags.is_disjoint(flags))
}
