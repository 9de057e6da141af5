//! Plans: what a draft would do, with a hash that holds as long as it would do exactly that.
//!
//! The hash covers what each touched flag and segment is and would be, and the kills that stay on them; not the environment's
//! revision, the time, or the order of members (DESIGN, promise 12). So a plan survives unrelated changes, and only those.

use std::collections::BTreeMap;
use std::sync::Arc;

use ripcord_proto::diff::{FlagDiff, SegmentDiff, SettingsDiff};
use ripcord_proto::digest::Digest;
use ripcord_proto::references::TouchedKeys;
use ripcord_proto::table::{Entity, Table};
use ripcord_proto::{FlagKey, KillId, Position, Snapshot};
use serde_json::value::RawValue;

use super::draft::Draft;
use super::error::{CommitError, StateConflict};
use super::state::EnvironmentState;

/// What would happen.
#[derive(Debug, Clone, serde::Serialize)]
pub struct CommitPlan {
    /// Execute with this hash to do exactly this.
    pub hash: Digest,
    /// The position that it was made against; not part of the hash.
    pub at: Position,
    /// Flags that would change.
    pub flags: Vec<FlagDiff>,
    /// Segments that would change.
    pub segments: Vec<SegmentDiff>,
    /// The settings, if they would change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<SettingsDiff>,
    /// Kills that stay on flags of the plan.
    pub kills: BTreeMap<FlagKey, Vec<KillId>>,
    /// Why it cannot be executed now; not part of the hash.
    pub warnings: Vec<String>,
}

/// A plan with the states before and after it.
#[derive(Debug)]
pub struct PlannedCommit {
    pub plan: CommitPlan,
    /// The state that it was made on.
    pub before: Arc<EnvironmentState>,
    /// What would be served.
    pub after: Snapshot,
    /// What would change between the two.
    pub touched: TouchedKeys,
}

/// Makes the plan that leads from `before` to `after`.
pub(super) fn make(draft: &Draft, before: &EnvironmentState, after: &EnvironmentState, touched: &TouchedKeys) -> CommitPlan {
    let (was, is) = (&before.snapshot, &after.snapshot);
    let flags = touched.flags.iter().filter_map(|key| {
        let (from, to) = step(key, &was.flags, &is.flags)?;
        Some(FlagDiff { key: key.clone(), from, to })
    });
    let flags: Vec<_> = flags.collect();
    let segments = touched.segments.iter().filter_map(|key| {
        let (from, to) = step(key, &was.segments, &is.segments)?;
        Some(SegmentDiff { key: key.clone(), from, to })
    });
    let segments = segments.collect();
    let settings = (was.settings != is.settings).then(|| SettingsDiff {
        from: was.settings.clone(),
        to: is.settings.clone(),
    });
    let kills_of = |key: &FlagKey| is.kills_of(key.as_str()).map(|kill| kill.id.clone()).collect::<Vec<_>>();
    let kills = flags
        .iter()
        .map(|step| (step.key.clone(), kills_of(&step.key)))
        .filter(|(_, kills)| !kills.is_empty())
        .collect();
    let mut plan = CommitPlan {
        hash: Digest::ZERO,
        at: was.position,
        flags,
        segments,
        settings,
        kills,
        warnings: Vec::new(),
    };
    plan.hash = hash(draft, &plan);
    plan
}

/// Refuses a commit that would do something different from the plan.
pub(super) fn check(expected: Digest, draft: &Draft, before: &EnvironmentState, after: &EnvironmentState, touched: &TouchedKeys) -> Result<(), CommitError> {
    let plan = make(draft, before, after, touched);
    if plan.hash == expected {
        return Ok(());
    }
    let moved: Vec<String> = touched
        .flags
        .iter()
        .map(FlagKey::to_string)
        .chain(touched.segments.iter().map(|key| format!("segment {key}")))
        .collect();
    let moved = if moved.is_empty() {
        "everything that the plan would change is already that way".to_owned()
    } else {
        format!("the plan no longer matches what would happen to {}", moved.join(", "))
    };
    Err(CommitError::Conflict(StateConflict::PlanStale { moved, now: plan.hash }))
}

/// A definition, if there is one.
type Definition = Option<Box<RawValue>>;

/// Its definition now and afterwards, if they differ.
fn step<M: Entity>(key: &M::Key, was: &Table<M>, is: &Table<M>) -> Option<(Definition, Definition)> {
    let text: &str = std::borrow::Borrow::borrow(key);
    let (from, to) = (was.get(text), is.get(text));
    if from.map(|entry| entry.digest()) == to.map(|entry| entry.digest()) {
        return None;
    }
    Some((from.map(|entry| entry.json().to_owned()), to.map(|entry| entry.json().to_owned())))
}

fn hash(draft: &Draft, plan: &CommitPlan) -> Digest {
    let body = serde_json::to_vec(&(&plan.flags, &plan.segments, &plan.settings, &plan.kills)).unwrap_or_default();
    Digest::of([b"plan\0".as_slice(), draft.environment.as_str().as_bytes(), b"\0", &body])
}
