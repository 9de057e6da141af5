//! What happened in a drill, as it was seen: what is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::Position;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::rollback::Rollback;

use super::editors::Edit;
use super::traffic::Views;

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Observations {
    /// How many applications there were.
    pub(super) applications: usize,
    /// The names of the clients that never confirm.
    pub(super) stragglers: Vec<String>,
    /// Flags that tell the known-good state from the bad one.
    pub(super) telling: usize,
    /// Where the known-good state lies.
    pub(super) good: Option<Position>,
    /// Where the bad release lies.
    pub(super) bad: Option<Position>,
    /// How long the bad release took to reach every application; `None` where it did not.
    pub(super) reached: Option<Duration>,
    /// When errors were seen.
    pub(super) detected: Option<Timestamp>,
    /// Evaluations that served what the bad release serves, when the rollback began.
    pub(super) bad_before: u64,
    /// The flags that the release changed.
    pub(super) changed: BTreeSet<String>,
    /// The flags that the plan named.
    pub(super) planned: BTreeSet<String>,
    /// How long the plan took.
    pub(super) plan_took: Duration,
    /// One-way `one_way_doors` of the environment's own, which were acknowledged as the plan named them.
    pub(super) one_way_doors: BTreeSet<String>,
    /// The refusals that were expected, in order.
    pub(super) refusals: Vec<Refusal>,
    /// The refusal that ended it, where nothing of the scenario explains it.
    pub(super) stopped: Option<Problem>,
    /// What became of the store's absence.
    pub(super) outage: Option<OutageStory>,
    /// What became of the node that was killed.
    pub(super) node: Option<String>,
    /// The rollback as it ended.
    pub(super) rollback: Option<Rollback>,
    /// How long it took from the decision until nothing bad was served any more.
    pub(super) clear_after: Option<Duration>,
    /// How long it took from the decision until every application was back at known-good.
    pub(super) back_after: Option<Duration>,
    /// What was not at known-good in the end.
    pub(super) not_good: Vec<String>,
    /// What was seen at each position.
    pub(super) views: BTreeMap<Position, Views>,
    /// Evaluations, and those that served what the bad release serves.
    pub(super) evaluations: (u64, u64),
    /// How often the drill's check was asked.
    pub(super) asked: u64,
    /// Edits acknowledged during the rollback, and what became of them in the log and the flags.
    pub(super) edits: Option<EditStory>,
    /// How long all of it took.
    pub(super) took: Duration,
}

/// A refusal that a fault explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    /// What it said.
    pub(super) detail: String,
    /// Where the environment stood before it and after it.
    pub(super) moved: bool,
}

/// The store was away.
#[derive(Debug, Clone, Default)]
pub(super) struct OutageStory {
    /// The commands that the refusal printed.
    pub(super) commands: Vec<String>,
    /// How many kills were taken, and how many of them were provisional.
    pub(super) kills: (usize, usize),
    /// How long it took from the first kill until no application served anything bad.
    pub(super) safe_after: Option<Duration>,
    /// Whether all kills stood in the log when the store was back.
    pub(super) merged: bool,
    /// Whether the rollback had to be planned again, because the kills had changed the environment.
    pub(super) replanned: bool,
    /// How many rollbacks the environment has had in the end.
    pub(super) rollbacks: usize,
}

/// Edits while the rollback committed.
#[derive(Debug, Clone, Default)]
pub(super) struct EditStory {
    /// Those that were acknowledged.
    pub(super) edits: Vec<Edit>,
    /// Those of them that the log does not have.
    pub(super) lost: Vec<Edit>,
    /// Flags whose description is not what the last edit after the rollback, or the known-good state, says.
    pub(super) wrong: Vec<String>,
    /// How often the plan's hash was refused because something had changed.
    pub(super) stale: usize,
}
