//! A decision as a plan shows it: flags in words, conflicts with whom to ask, steps.

use std::collections::BTreeMap;
use std::sync::Arc;

use ripcord_proto::flag_text;
use ripcord_proto::record::Records;
use ripcord_proto::rest::log::ChangedBy;
use ripcord_proto::rest::plan::{SegmentDiff, SettingsDiff};
use ripcord_proto::rest::rollbacks::{
    BlockedFlag, FlagShare, KilledFlag, OneWayCrossing, PlanConflict, PlannedFlag, PlannedStage, PlannedStages, StoppedRollout,
};
use ripcord_proto::rollback::Stages;
use ripcord_proto::{FlagKey, Snapshot};

use super::prepare::PreparedRollback;
use crate::audit::ChangeHistory;
use crate::commit::CommitError;
use crate::commit::reversal::{Conflict, ConflictReason, ExposureCap, FlagOrSegment, FlagReversal, ReversalDecision, RollbackPreview, StageMethod};

/// What the log knows about who changed what, for a plan.
pub(super) struct PlanDescriber<'a> {
    pub(super) prepared: &'a PreparedRollback,
    pub(super) history: &'a ChangeHistory,
}

impl PlanDescriber<'_> {
    fn last_of_flag(&self, key: &FlagKey) -> Option<ChangedBy> {
        let change = self.history.flags.get(key)?.last()?;
        Some(ChangedBy::clone(&change.by))
    }

    /// Flags that change, in words.
    pub(super) fn flags(&self, decision: &ReversalDecision, shares: &BTreeMap<FlagKey, FlagShare>) -> Vec<PlannedFlag> {
        decision
            .flags
            .iter()
            .map(|step| self.flag(step, shares.get(&step.key).copied().unwrap_or_default()))
            .collect()
    }

    fn flag(&self, step: &FlagReversal, users: FlagShare) -> PlannedFlag {
        let (from, to) = (step.from.as_deref(), &step.to);
        let (is, then) = (from.and_then(|from| from.value().ok()), to.value().ok());
        PlannedFlag {
            key: step.key.clone(),
            from: from.map(|from| from.json().to_owned()),
            to: Some(to.json().to_owned()),
            now: match from {
                None => "deleted: the caller's default".to_owned(),
                Some(_) => is.map_or_else(|| "not readable by this version".to_owned(), flag_text::flag),
            },
            then: then.map_or_else(|| "not readable by this version".to_owned(), flag_text::flag),
            differs: flag_text::differences(is, then),
            changed: self.last_of_flag(&step.key),
            users,
        }
    }

    /// What is not changed, and who changed it last.
    pub(super) fn conflicts(&self, decision: &ReversalDecision) -> Vec<PlanConflict> {
        decision.conflicts.iter().map(|conflict| self.conflict(conflict)).collect()
    }

    fn conflict(&self, conflict: &Conflict) -> PlanConflict {
        let why = conflict.why.as_str().to_owned();
        match &conflict.thing {
            FlagOrSegment::Flag(key) => {
                let between = || self.prepared.foreign.get(key).map(Arc::clone).map(|by| ChangedBy::clone(&by));
                let changed = match conflict.why {
                    ConflictReason::ChangedBetween => between(),
                    ConflictReason::ChangedSince | ConflictReason::SegmentDiffers => self.last_of_flag(key).or_else(between),
                };
                PlanConflict {
                    flag: Some(key.clone()),
                    segment: None,
                    why,
                    changed,
                }
            }
            FlagOrSegment::Segment(key) => PlanConflict {
                flag: None,
                segment: Some(key.clone()),
                why,
                changed: self
                    .history
                    .segments
                    .get(key)
                    .and_then(|changes| changes.last())
                    .map(|change| ChangedBy::clone(&change.by)),
            },
        }
    }
}

/// Segments that change.
pub(super) fn segments(decision: &ReversalDecision, now: &Snapshot) -> Vec<SegmentDiff> {
    let back = decision.segments.iter().chain(&decision.missing);
    let step = |entry: &Arc<ripcord_proto::table::Entry<ripcord_proto::Segment>>| SegmentDiff {
        key: entry.key().clone(),
        from: now.segments.get(entry.key().as_str()).map(|entry| entry.json().to_owned()),
        to: Some(entry.json().to_owned()),
    };
    let mut steps: Vec<SegmentDiff> = back.map(step).collect();
    steps.sort_by(|one, other| one.key.cmp(&other.key));
    steps
}

/// The settings, if they change.
pub(super) fn settings(decision: &ReversalDecision, now: &Snapshot) -> Option<SettingsDiff> {
    decision.settings.clone().map(|to| SettingsDiff {
        from: now.settings.clone(),
        to,
    })
}

/// One-way doors, and which of them the request named.
pub(super) fn doors(decision: &ReversalDecision, prepared: &PreparedRollback) -> Vec<OneWayCrossing> {
    let doors = decision.doors.iter().map(|door| OneWayCrossing {
        flag: door.flag.clone(),
        from: door.one_way.from.clone(),
        reason: door.one_way.reason.clone(),
        data_checkpoint: door.one_way.data_checkpoint.clone(),
        acknowledged: prepared.reversal.record.acknowledged.contains(&door.flag),
    });
    doors.collect()
}

/// Flags that stay killed.
pub(super) fn killed(preview: &RollbackPreview) -> Vec<KilledFlag> {
    let killed = preview.killed.iter().map(|killed| KilledFlag {
        flag: killed.flag.clone(),
        kills: killed.kills.clone(),
        needs_allow_killed_edit: killed.needs_allow_killed_edit,
    });
    killed.collect()
}

/// Live rollouts of flags that change: the rollback ends them.
pub(super) fn rollouts(decision: &ReversalDecision, records: &Records) -> Vec<StoppedRollout> {
    let ended = decision.ended_rollouts(records).into_iter();
    ended.map(|id| StoppedRollout { name: id.to_string() }).collect()
}

/// Flags whose rules cannot express it.
pub(super) fn cannot(decision: &ReversalDecision) -> Vec<BlockedFlag> {
    let cannot = decision.cannot.iter().map(|cannot| BlockedFlag {
        flag: cannot.flag.clone(),
        why: cannot.why.clone(),
    });
    cannot.collect()
}

/// The stages, and what each changes.
pub(super) fn stages(stages: &Stages, decision: &ReversalDecision, now: &Snapshot) -> Result<PlannedStages, CommitError> {
    let caps: Result<Vec<ExposureCap>, _> = stages.steps.iter().map(|percent| ExposureCap::percent(*percent)).collect();
    let counts = decision.by_step(&caps.map_err(CommitError::from)?, now.position)?;
    let percents = stages.steps.iter().copied().map(Some).chain([None]);
    let steps = percents.zip(counts).zip(0_u64..).map(|((percent, flags), place)| PlannedStage {
        percent,
        after_seconds: place * stages.every_seconds,
        flags: flags as u64,
    });
    let of = |way: StageMethod| decision.flags.iter().filter(move |step| step.way == way).map(|step| step.key.clone()).collect();
    Ok(PlannedStages {
        every_seconds: stages.every_seconds,
        steps: steps.collect(),
        whole: of(StageMethod::Whole),
        last: of(StageMethod::Last),
    })
}
