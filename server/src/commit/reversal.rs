//! Rollbacks: which changes return the flags of a scope to the state of a target. They are decided on the state that the commit is
//! admitted on, so that concurrent writes cannot make a rollback fail.
//!
//! ```text
//! Reversal + snapshot ──► decide ──► ReversalDecision: each flag now → then, segments, conflicts, one-way doors, what cannot be
//!                                      ├──► plan     shows it
//!                                      └──► commit   guard, then what this step of the ladder puts
//! ```

pub(super) mod barrier;
mod decision;
mod guard;
mod hash;
mod merge_join;
mod one_way;
mod preview;
mod segment_rules;
mod segments;
mod serves;
mod staged;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ripcord_proto::change::Change;
use ripcord_proto::check::ScopedCheck;
use ripcord_proto::digest::Digest;
use ripcord_proto::record::Records;
use ripcord_proto::rollback::Rollback;
use ripcord_proto::settings::Settings;
use ripcord_proto::table::Entry;
use ripcord_proto::{Flag, FlagKey, Position, Revision, RolloutId, Segment, SegmentKey, Snapshot, Tag};

pub use self::barrier::{OneWayDoor, UnsupportedFlag};
pub use self::guard::under_way;
pub use self::preview::RollbackPreview;
use super::error::{CommitError, StateConflict};
use super::probes;
use super::state::EnvironmentState;

/// What to return to an earlier state.
#[derive(Debug, Clone)]
pub struct Reversal {
    /// The flags to roll back.
    pub reach: ReversalScope,
    /// Only for users in this segment.
    pub segment: Option<SegmentKey>,
    /// The target state.
    pub target: Arc<Snapshot>,
    /// How far down this commit goes: exposure above this percentage is capped; `None` = to the target.
    pub cap: Option<f64>,
    /// The record of the rollback after this commit, except for what the commit decides: the revision, flags, segments, hash of the
    /// plan, and which doors were crossed.
    pub record: Rollback,
}

/// What a reversal may touch.
#[derive(Debug, Clone)]
pub enum ReversalScope {
    /// Everything.
    Environment,
    /// These flags.
    Flags(BTreeSet<FlagKey>),
    /// The flags that carry one of these tags, now or at the target.
    Tags(BTreeSet<Tag>),
    /// The flags that a release or an earlier rollback changed, each with the state that it left.
    Touched(BTreeMap<FlagKey, TouchedFlag>),
}

/// The state of a flag after the commits that are rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TouchedFlag {
    /// The digest of the flag's entry after the last of them; `None` if they deleted it. A different digest now means that someone
    /// else has changed the flag since.
    pub digest: Option<Digest>,
    /// Whether someone else changed it between the target and the last of them.
    pub mixed: Authorship,
}

/// Whether others have changed a flag too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorship {
    Own,
    /// Rolling it back undoes the changes of others too.
    Others,
}

/// What a reversal does to a given state, over all steps of its ladder.
#[derive(Debug, Clone, Default)]
pub struct ReversalDecision {
    /// Flags that change, by key.
    pub flags: Vec<FlagReversal>,
    /// Segments that are rolled back, by key.
    pub segments: Vec<Arc<Entry<Segment>>>,
    /// Deleted segments that the restored flags need.
    pub missing: Vec<Arc<Entry<Segment>>>,
    /// The settings, if they are rolled back.
    pub settings: Option<Settings>,
    /// What is left alone because others have changed it.
    pub conflicts: Vec<Conflict>,
    /// One-way doors that it would cross.
    pub doors: Vec<OneWayDoor>,
    /// Flags that cannot be rolled back with rules.
    pub cannot: Vec<UnsupportedFlag>,
    /// How many flags the scope contains, changed or not.
    pub reached: usize,
}

/// A flag that is rolled back.
#[derive(Debug, Clone)]
pub struct FlagReversal {
    pub key: FlagKey,
    /// As it is; `None` = it was deleted.
    pub from: Option<Arc<Entry<Flag>>>,
    /// As it was at the target; `None` = it did not exist.
    pub was: Option<Arc<Entry<Flag>>>,
    /// As it is at the end.
    pub to: Arc<Entry<Flag>>,
    /// How it goes down a ladder.
    pub way: StageMethod,
}

/// How a flag goes down a ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageMethod {
    /// The split of this rule is capped at each step.
    Split(usize),
    /// It is rolled back completely at the first step: more than the weights of one split has changed.
    Whole,
    /// It is rolled back completely at the last step: its exposure at the target is higher.
    Last,
}

/// The highest exposure that a step leaves, in thousandths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExposureCap(u32);

/// A flag or segment that is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    pub thing: FlagOrSegment,
    pub why: ConflictReason,
    /// The position of its last change; `None` if it was deleted.
    pub changed: Option<Position>,
    /// Its current digest; `None` if it was deleted.
    pub digest: Option<Digest>,
}

/// A flag or a segment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FlagOrSegment {
    Flag(FlagKey),
    Segment(SegmentKey),
}

/// Why something is a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictReason {
    /// Others changed it after the commits that are rolled back.
    ChangedSince,
    /// Others changed it between the target and the last of those commits.
    ChangedBetween,
    /// The segment has changed, and others may rely on that.
    SegmentDiffers,
}

impl ConflictReason {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChangedSince => "changed by others since",
            Self::ChangedBetween => "changed by others in between",
            Self::SegmentDiffers => "a segment is different now",
        }
    }
}

impl Reversal {
    /// The keys of all flags that it would change, over all steps. If nothing is left to change, those of its scope: another
    /// rollback may have done it already, and the caller needs to see that one.
    fn flags(&self, decision: &ReversalDecision, now: &Snapshot) -> BTreeSet<FlagKey> {
        if decision.is_empty() {
            return self.reached(now);
        }
        self.moved(decision)
    }

    fn moved(&self, decision: &ReversalDecision) -> BTreeSet<FlagKey> {
        let moved = decision.flags.iter().map(|step| step.key.clone());
        moved.chain(self.record.flags.iter().cloned()).collect()
    }

    /// The changes of this commit to `state`, whose log ends at `head`, or why it is refused.
    /// `expected` is the hash of the plan that must still hold.
    pub(super) fn admitted(&self, state: &EnvironmentState, head: Position, expected: Option<Digest>) -> Result<Vec<Change>, CommitError> {
        let decision = self.decide(&state.snapshot)?;
        let hash = self.hash(&decision, state);
        if expected.is_some_and(|expected| expected != hash) {
            return Err(CommitError::Conflict(StateConflict::PlanStale {
                moved: "the rollback would do something different from the plan".to_owned(),
                now: hash,
            }));
        }
        self.check(&decision, state)?;
        let mut record = self.recorded(&decision, hash, head);
        record.probes = self.probes(&record.flags, state);
        self.changes(&decision, record, head)
    }

    /// The hash of its changes to `state`, over all steps of its ladder.
    pub(super) fn planned(&self, state: &EnvironmentState) -> Result<Digest, CommitError> {
        Ok(self.hash(&self.decide(&state.snapshot)?, state))
    }

    /// The probes of what is rolled back, in addition to those that earlier commits of the same ladder found.
    fn probes(&self, flags: &BTreeSet<FlagKey>, state: &EnvironmentState) -> Vec<ScopedCheck> {
        let found = probes::of(flags, &self.record.scope, [&state.snapshot, &self.target], &state.records);
        probes::united(&self.record.probes, found)
    }

    /// The changes of this commit to a log that ends at `head`, and its record.
    fn changes(&self, decision: &ReversalDecision, mut record: Rollback, head: Position) -> Result<Vec<Change>, CommitError> {
        let next = following(head);
        let last = self.cap.is_none();
        let mut changes = Vec::with_capacity(decision.flags.len() + 2);
        let segments = decision.segments.iter().filter(|_| last).chain(&decision.missing);
        changes.extend(segments.map(|entry| Change::PutSegment(Arc::clone(entry))));
        let cap = self.cap.map(ExposureCap::percent).transpose().map_err(CommitError::from)?;
        for step in &decision.flags {
            changes.extend(step.at(cap, next)?.map(Change::PutFlag));
        }
        changes.extend(decision.settings.clone().filter(|_| last).map(Change::PutSettings));
        let position = if changes.is_empty() { head } else { next };
        // Where it changes nothing, those who are at the revision that there is confirm it.
        (record.epoch, record.revision) = (position.epoch, position.revision);
        let entry = Entry::new(record.id.clone(), record, position).map_err(internal)?;
        changes.push(Change::PutRecord(Arc::new(entry).into()));
        Ok(changes)
    }

    /// The record of a commit on a log that ends at `head`, except for its position.
    fn recorded(&self, decision: &ReversalDecision, hash: Digest, head: Position) -> Rollback {
        let first = self.record.revision == Revision::default();
        let mut record = self.record.clone();
        if first {
            record.before = head;
            record.plan = hash;
            record.skipped = decision.skipped();
            let doors: BTreeSet<_> = decision.doors.iter().map(|door| &door.flag).collect();
            record.acknowledged.retain(|flag| doors.contains(flag));
        }
        record.flags = self.moved(decision);
        let segments = decision.segments.iter().chain(&decision.missing);
        record.segments.extend(segments.map(|entry| entry.key().clone()));
        if let Some(ladder) = &mut record.ladder {
            let whole = decision.flags.iter().filter(|step| step.way == StageMethod::Whole);
            ladder.whole.extend(whole.map(|step| step.key.clone()));
        }
        record
    }
}

impl ReversalDecision {
    /// How many flags each of `caps` changes after the one before it, the target itself last.
    pub fn by_step(&self, caps: &[ExposureCap], now: Position) -> Result<Vec<usize>, CommitError> {
        let mut counts = vec![0; caps.len() + 1];
        for step in &self.flags {
            let mut known = step.from.as_deref().map(|from| *from.digest());
            let caps = caps.iter().copied().map(Some).chain([None]);
            for (count, cap) in counts.iter_mut().zip(caps) {
                let put = step.at(cap, following(now))?.map(|entry| *entry.digest());
                if put.is_some() && put != known {
                    *count += 1;
                    known = put;
                }
            }
        }
        Ok(counts)
    }

    /// The live rollouts of flags that change: each ends by itself once its flag is no longer as it left it.
    pub fn ended_rollouts(&self, records: &Records) -> Vec<RolloutId> {
        let live = records.rollouts.values().filter(|rollout| !rollout.state.is_final());
        let ended = live.filter(|rollout| self.flags.iter().any(|step| step.key == rollout.plan.flag));
        ended.map(|rollout| rollout.id.clone()).collect()
    }

    /// Whether nothing at all would change.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty() && self.segments.is_empty() && self.missing.is_empty() && self.settings.is_none()
    }

    fn skipped(&self) -> BTreeSet<FlagKey> {
        let flags = self.conflicts.iter().filter_map(|conflict| match &conflict.thing {
            FlagOrSegment::Flag(key) => Some(key.clone()),
            FlagOrSegment::Segment(_) => None,
        });
        flags.collect()
    }
}

/// The position of the commit that follows one at `head`.
const fn following(head: Position) -> Position {
    Position {
        epoch: head.epoch,
        revision: head.revision.next(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it on")]
fn internal(error: serde_json::Error) -> CommitError {
    CommitError::Internal(error.to_string())
}
