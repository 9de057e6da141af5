//! Collects the verdicts of a drill; and the refusals that a scenario expects.

use ripcord_proto::check::CheckPhase;
use ripcord_proto::drill::DrillVerdict;
use ripcord_proto::problem::Code;
use ripcord_proto::scenario::{DrillFault, Scenario};

/// Longest detail, in characters.
const DETAIL: usize = 280;

/// The verdicts so far.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    pub(super) verdicts: Vec<DrillVerdict>,
}

impl Verdicts {
    pub(super) fn judge(&mut self, check: impl Into<String>, name: impl Into<String>, passed: bool, detail: impl AsRef<str>) {
        self.verdicts.push(DrillVerdict {
            check: check.into(),
            name: name.into(),
            passed,
            detail: on_one_line(detail.as_ref()),
        });
    }
}

/// A text on one line, shortened for a list.
pub(super) fn on_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(DETAIL) {
        None => line,
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or(&line)),
    }
}

/// The codes of the refusals that must come before the rollback, in order.
pub(super) fn expected_refusals(scenario: &Scenario) -> Vec<Code> {
    let follows = scenario.faults.iter().filter_map(|fault| match fault {
        DrillFault::StoreAway { .. } => Some(Code::StoreUnavailable),
        DrillFault::OneWayDoor { .. } => Some(Code::OneWayDoor),
        DrillFault::FailingCheck { when: CheckPhase::Before } => Some(Code::CheckFailed),
        DrillFault::FailingCheck { .. }
        | DrillFault::NodeKilled { .. }
        | DrillFault::SlowReaders { .. }
        | DrillFault::LostConnections { .. }
        | DrillFault::Straggler { .. }
        | DrillFault::ConcurrentEdits { .. } => None,
    });
    let mut codes: Vec<Code> = follows.collect();
    codes.extend(scenario.expect.refused.filter(|code| !codes.contains(code)));
    codes
}
