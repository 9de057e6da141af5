//! The hash of a rollback's plan: it holds as long as the rollback would do exactly what the plan showed, and no longer (DESIGN,
//! promise 12).
//!
//! It covers the environment, the scope, the target's content, each flag in scope as it is and as it will be, what stays and
//! why, the one-way doors, the kills that stay, and the live rollouts that it ends. It does not cover the environment's revision, the time, who asks, or
//! sampled figures.

use ripcord_proto::digest::Digest;
use ripcord_proto::rollback::RollbackScope;
use ripcord_proto::settings::Settings;
use ripcord_proto::table::{Entity, Entry};
use ripcord_proto::{FlagKey, KillId, RolloutId, SegmentKey, Snapshot};

use super::super::state::EnvironmentState;
use super::{Conflict, FlagOrSegment, FlagReversal, OneWayDoor, Reversal, ReversalDecision, StageMethod};

/// A flag: its key, its digest as it is and as it will be, and the way there.
type CoveredFlag<'a> = (&'a FlagKey, Option<Digest>, Digest, &'static str);

/// All that the hash covers. It is written straight to bytes: a rollback of a thousand flags makes no tree of values first.
#[derive(serde::Serialize)]
struct HashedContent<'a> {
    environment: &'a str,
    scope: &'a RollbackScope,
    segment: Option<&'a SegmentKey>,
    target: &'a Digest,
    ladder: Option<(&'a Vec<f64>, u64)>,
    flags: Vec<CoveredFlag<'a>>,
    segments: Vec<(&'a SegmentKey, Option<Digest>, &'a Digest)>,
    settings: Option<&'a Settings>,
    conflicts: Vec<(&'static str, &'a str, Option<Digest>)>,
    doors: &'a [OneWayDoor],
    cannot: Vec<(&'a FlagKey, &'a str)>,
    kills: Vec<(&'a FlagKey, Vec<&'a KillId>)>,
    rollouts: &'a [RolloutId],
}

impl Reversal {
    /// The hash of what `decision` does to an environment in this state.
    pub(super) fn hash(&self, decision: &ReversalDecision, state: &EnvironmentState) -> Digest {
        let now = &state.snapshot;
        let ladder = self.record.ladder.as_ref().map(|ladder| (&ladder.steps, ladder.every_seconds));
        let segments: Vec<_> = [&decision.segments, &decision.missing]
            .into_iter()
            .flatten()
            .map(|to| (to.key(), now.segments.get(to.key().as_str()).map(digest), to.digest()))
            .collect();
        let covered = HashedContent {
            environment: now.environment.as_str(),
            scope: &self.record.scope,
            segment: self.segment.as_ref(),
            target: &self.record.target.hash,
            ladder,
            flags: decision.flags.iter().map(flag).collect(),
            segments,
            settings: decision.settings.as_ref(),
            conflicts: decision.conflicts.iter().map(conflict).collect(),
            doors: &decision.doors,
            cannot: decision.cannot.iter().map(|cannot| (&cannot.flag, cannot.why.as_str())).collect(),
            kills: decision.flags.iter().filter_map(|step| kills(step, now)).collect(),
            rollouts: &decision.ended_rollouts(&state.records),
        };
        let covered = serde_json::to_vec(&covered).unwrap_or_default();
        Digest::of([b"rollback\0".as_slice(), &covered])
    }
}

fn digest<M: Entity>(entry: &std::sync::Arc<Entry<M>>) -> Digest {
    *entry.digest()
}

fn flag(step: &FlagReversal) -> CoveredFlag<'_> {
    let way = match step.way {
        StageMethod::Split(_) => "split",
        StageMethod::Whole => "whole",
        StageMethod::Last => "last",
    };
    (&step.key, step.from.as_ref().map(digest), *step.to.digest(), way)
}

fn conflict(conflict: &Conflict) -> (&'static str, &str, Option<Digest>) {
    let (kind, key) = match &conflict.thing {
        FlagOrSegment::Flag(key) => ("flag", key.as_str()),
        FlagOrSegment::Segment(key) => ("segment", key.as_str()),
    };
    (kind, key, conflict.digest)
}

fn kills<'a>(step: &'a FlagReversal, now: &'a Snapshot) -> Option<(&'a FlagKey, Vec<&'a KillId>)> {
    let ids: Vec<_> = now.kills_of(step.key.as_str()).map(|kill| &kill.id).collect();
    (!ids.is_empty()).then_some((&step.key, ids))
}
