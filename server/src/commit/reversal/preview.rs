//! What a rollback would do, for its plan.

use ripcord_proto::digest::Digest;
use ripcord_proto::references::{self, TouchedKeys};
use ripcord_proto::{Flag, FlagKey, KillId, KillScope, RollbackId, Snapshot, ValidationError};

use super::super::error::CommitError;
use super::super::state::{EnvironmentState, served};
use super::{FlagReversal, Reversal, ReversalDecision, under_way};

/// What a rollback would do. Making it changes nothing.
#[derive(Debug, Clone)]
pub struct RollbackPreview {
    /// The decision for each flag, with conflicts and one-way doors.
    pub decision: ReversalDecision,
    /// Execute with this hash to do exactly this.
    pub hash: Digest,
    /// What the environment would serve at the end.
    pub after: Snapshot,
    /// What changes on the way there.
    pub touched: TouchedKeys,
    /// References that it would break, prerequisites among them.
    pub breaks: Vec<ValidationError>,
    /// Flags that stay killed.
    pub killed: Vec<KilledFlag>,
    /// The rollback in progress that prevents it.
    pub under_way: Option<RollbackId>,
}

/// A flag of the plan that stays killed.
#[derive(Debug, Clone)]
pub struct KilledFlag {
    pub flag: FlagKey,
    /// The kills that cover it.
    pub kills: Vec<KillId>,
    /// Whether what it serves while it is killed would change.
    pub needs_allow_killed_edit: bool,
}

impl Reversal {
    /// What it would do to `state`.
    pub fn preview(&self, state: &EnvironmentState) -> Result<RollbackPreview, CommitError> {
        let now = &state.snapshot;
        let decision = self.decide(now)?;
        let hash = self.hash(&decision, state);
        let mut after = now.clone();
        let mut touched = TouchedKeys::default();
        for entry in decision.segments.iter().chain(&decision.missing) {
            touched.segments.insert(entry.key().clone());
            after.segments.insert(entry.clone());
        }
        for step in &decision.flags {
            touched.flags.insert(step.key.clone());
            after.flags.insert(step.to.clone());
        }
        after.settings = decision.settings.clone().unwrap_or_else(|| now.settings.clone());
        let breaks = references::check(&after.flags, &after.segments, &touched);
        let killed = decision.flags.iter().filter_map(|step| killed(step, now)).collect();
        let under_way = under_way(&state.records, &self.record, &self.flags(&decision, now)).map(|other| other.id.clone());
        Ok(RollbackPreview {
            decision,
            hash,
            after,
            touched,
            breaks,
            killed,
            under_way,
        })
    }
}

fn killed(step: &FlagReversal, now: &Snapshot) -> Option<KilledFlag> {
    let to = step.to.value().ok();
    let in_force: Vec<KillId> = now.kills_of(step.key.as_str()).map(|kill| kill.id.clone()).collect();
    let is = step.from.as_deref().and_then(|from| from.value().ok());
    let needs_allow_killed_edit = !in_force.is_empty() && is.is_some_and(|is| to.map(served) != Some(served(is)));
    let kills = if in_force.is_empty() { latching(to?, now) } else { in_force };
    (!kills.is_empty()).then(|| KilledFlag {
        flag: step.key.clone(),
        kills,
        needs_allow_killed_edit,
    })
}

/// Kills that latch onto a flag that is given their tag.
fn latching(to: &Flag, now: &Snapshot) -> Vec<KillId> {
    let kills = now.kills.values();
    let by_tag = kills.filter(|kill| matches!(&kill.scope, KillScope::Tag(tag) if to.tags.contains(tag)));
    by_tag.map(|kill| kill.id.clone()).collect()
}
