//! What was observed in a drill; the verdicts are drawn from it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::Position;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::rollback::Rollback;

use super::editors::Edit;
use super::traffic::Views;

#[derive(Debug, Default)]
pub(super) struct Observations {
    /// Number of applications.
    pub(super) applications: usize,
    /// Names of the clients that never confirm.
    pub(super) stragglers: Vec<String>,
    /// Number of flags whose values differ between the known-good and the bad state.
    pub(super) telling: usize,
    /// Position of the known-good state.
    pub(super) good: Option<Position>,
    /// Position of the bad release.
    pub(super) bad: Option<Position>,
    /// How long the bad release took to reach every application; `None` if it did not.
    pub(super) reached: Option<Duration>,
    /// When errors were observed.
    pub(super) detected: Option<Timestamp>,
    /// Evaluations that returned the bad release's value before the rollback began.
    pub(super) bad_before: u64,
    /// Flags that the release changed.
    pub(super) changed: BTreeSet<String>,
    /// Flags that the plan named.
    pub(super) planned: BTreeSet<String>,
    pub(super) plan_took: Duration,
    /// One-way doors of the forked environment, acknowledged because the plan named them.
    pub(super) one_way_doors: BTreeSet<String>,
    /// The expected refusals, in order.
    pub(super) refusals: Vec<Refusal>,
    /// The refusal that ended the drill, if the scenario does not expect it.
    pub(super) stopped: Option<Problem>,
    /// The store outage, if there was one.
    pub(super) outage: Option<OutageStory>,
    /// What happened to the killed node.
    pub(super) node: Option<String>,
    /// The rollback's final record.
    pub(super) rollback: Option<Rollback>,
    /// Time from the decision until nothing bad was served.
    pub(super) clear_after: Option<Duration>,
    /// Time from the decision until every application was back at known-good.
    pub(super) back_after: Option<Duration>,
    /// Answers that were not known-good at the end.
    pub(super) not_good: Vec<String>,
    /// Views at each position.
    pub(super) views: BTreeMap<Position, Views>,
    /// Number of evaluations, and of those that returned the bad release's value.
    pub(super) evaluations: (u64, u64),
    /// Requests to the drill's check.
    pub(super) asked: u64,
    /// Edits during the rollback, and whether the log and the flags have them.
    pub(super) edits: Option<EditStory>,
    /// Duration of the drill.
    pub(super) took: Duration,
}

/// A refusal that a fault of the scenario explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    /// Its text.
    pub(super) detail: String,
    /// The environment's position before and after it.
    pub(super) moved: bool,
}

/// A store outage.
#[derive(Debug, Clone, Default)]
pub(super) struct OutageStory {
    /// Commands that the refusal printed.
    pub(super) commands: Vec<String>,
    /// Number of kills, and how many of them were provisional.
    pub(super) kills: (usize, usize),
    /// Time from the first kill until no application served anything bad.
    pub(super) safe_after: Option<Duration>,
    /// Whether all kills were in the log when the store was back.
    pub(super) merged: bool,
    /// Whether the kills made a new plan necessary.
    pub(super) replanned: bool,
    /// Number of rollbacks in the environment at the end.
    pub(super) rollbacks: usize,
}

#[derive(Debug, Clone, Default)]
pub(super) struct EditStory {
    /// Acknowledged edits.
    pub(super) edits: Vec<Edit>,
    /// Acknowledged edits that are missing in the log.
    pub(super) lost: Vec<Edit>,
    /// Flags whose description is neither that of the last edit after the rollback nor, without one, the known-good one.
    pub(super) wrong: Vec<String>,
    /// Number of plans refused because something had changed.
    pub(super) stale: usize,
}
