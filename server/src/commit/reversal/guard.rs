//! What prevents a rollback: another rollback in progress, a one-way door, a state that rules cannot express, or nothing to roll
//! back.

use std::collections::BTreeSet;

use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::record::Records;
use ripcord_proto::rollback::{Rollback, RollbackScope};
use ripcord_proto::text::counted_len;
use ripcord_proto::{FlagKey, Revision};

use crate::commit::state::EnvironmentState;

use super::super::error::CommitError;
use super::{OneWayDoor, Reversal, ReversalDecision, UnsupportedFlag};

/// Flags named in a sentence, at most.
const NAMED: usize = 20;

impl Reversal {
    /// Refuses a rollback that is not allowed. Kills and references are checked elsewhere.
    pub(super) fn check(&self, decision: &ReversalDecision, state: &EnvironmentState) -> Result<(), CommitError> {
        if !decision.cannot.is_empty() {
            return refuse(cannot(&decision.cannot));
        }
        if let Some(other) = under_way(&state.records, &self.record, &self.flags(decision, &state.snapshot)) {
            return refuse(busy(other));
        }
        let shut: Vec<&OneWayDoor> = decision.doors.iter().filter(|door| !self.record.acknowledged.contains(&door.flag)).collect();
        if !shut.is_empty() {
            return refuse(one_way(&shut));
        }
        let first = self.record.revision == Revision::default();
        if first && decision.is_empty() {
            return refuse(empty(decision));
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

fn refuse<T>(problem: Problem) -> Result<T, CommitError> {
    Err(CommitError::Refused(Box::new(problem)))
}

fn busy(other: &Rollback) -> Problem {
    let ladder = if other.ladder.as_ref().is_some_and(ripcord_proto::rollback::Stages::is_running) {
        format!(" It lowers exposure step by step; stop it with `ripcord rollback stop {}`.", other.id)
    } else {
        String::new()
    };
    let detail = format!(
        "Nothing was changed: rollback {} by {} is already rolling back some of these flags. Follow it with `ripcord rollback show {}`, and try again when it has ended.{ladder}",
        other.id, other.by.name, other.id
    );
    Problem::new(Code::RollbackUnderWay, detail).with("rollback", other.id.as_str())
}

fn one_way(doors: &[&OneWayDoor]) -> Problem {
    let lines: Vec<String> = doors
        .iter()
        .map(|door| {
            let data = door.one_way.data_checkpoint.as_ref();
            let data = data.map(|data| format!(" (data: {data})")).unwrap_or_default();
            format!("{} serves {}: {}{data}", door.flag, door.one_way.from, door.one_way.reason)
        })
        .collect();
    let flags: BTreeSet<&str> = doors.iter().map(|door| door.flag.as_str()).collect();
    let flags: Vec<&str> = flags.into_iter().collect();
    let option = format!("--acknowledge-one-way {}", flags.join(","));
    let detail = format!(
        "Nothing was changed: rolling back does not undo what these flags have already done. {}. If you accept this, add {option}",
        lines.join("; ")
    );
    Problem::new(Code::OneWayDoor, detail)
        .with("doors", serde_json::to_value(doors).unwrap_or_default())
        .with("acknowledge", option)
}

fn cannot(flags: &[UnsupportedFlag]) -> Problem {
    let mut lines: Vec<String> = flags.iter().take(NAMED).map(|cannot| format!("{}: {}", cannot.flag, cannot.why)).collect();
    if flags.len() > NAMED {
        lines.push(format!("and {} more", flags.len() - NAMED));
    }
    let list: Vec<_> = flags.iter().map(|cannot| serde_json::json!({"flag": cannot.flag, "why": cannot.why})).collect();
    let detail = format!(
        "Nothing was changed: flag rules cannot express this rollback. {}. Name the other flags with --flag, or omit --segment.",
        lines.join("; ")
    );
    Problem::new(Code::CannotExpress, detail).with("flags", list)
}

fn empty(decision: &ReversalDecision) -> Problem {
    let detail = if decision.reached == 0 {
        "Nothing was changed: the scope contains no flags, neither now nor at the target.".to_owned()
    } else if decision.conflicts.is_empty() {
        format!(
            "Nothing to roll back: {} in the scope already {} the target.",
            counted_len(decision.reached, "flag", "flags"),
            if decision.reached == 1 { "matches" } else { "match" }
        )
    } else {
        let flags: Vec<String> = decision.skipped().iter().take(NAMED).map(ToString::to_string).collect();
        let flags = if flags.is_empty() { "segments only".to_owned() } else { flags.join(", ") };
        format!(
            "Nothing was changed: everything in the scope was changed by others since ({flags}). `ripcord rollback plan` shows who changed it; add --include-conflicts or --with-segments to roll it back too."
        )
    };
    Problem::new(Code::EmptyScope, detail)
}
