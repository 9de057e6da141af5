//! Checkpoints as the API shows them.

use ripcord_proto::Snapshot;
use ripcord_proto::checkpoint::Checkpoint;
use ripcord_proto::record::Records;
use ripcord_proto::rest::checkpoints::{CheckpointView, StateDrift};
use ripcord_proto::rest::environments::KnownGood;
use ripcord_proto::table::{Entity, Table};

/// A checkpoint beside the other records.
pub fn view(records: &Records, checkpoint: &Checkpoint) -> CheckpointView {
    let releases = records.releases.values();
    let begun = releases.filter(|release| release.baseline == checkpoint.name);
    CheckpointView {
        checkpoint: checkpoint.clone(),
        standing: checkpoint.standing(),
        last_known_good: records.last_known_good().is_some_and(|good| good.name == checkpoint.name),
        baseline_of: begun.map(|release| release.name.clone()).collect(),
    }
}

/// A checkpoint that is known to be good, in short; `None` if it has not been judged.
pub fn known_good(checkpoint: &Checkpoint) -> Option<KnownGood> {
    let judgement = checkpoint.judgements.last()?;
    Some(KnownGood {
        checkpoint: checkpoint.name.clone(),
        epoch: checkpoint.epoch,
        revision: checkpoint.revision,
        vouched: judgement.at,
        by: judgement.by.name.clone(),
    })
}

/// How far `now` has moved from `then`.
pub fn distance(then: &Snapshot, now: &Snapshot) -> StateDrift {
    StateDrift {
        now: now.position,
        revisions: now.position.revision.0.saturating_sub(then.position.revision.0),
        flags: differing(&then.flags, &now.flags),
        segments: differing(&then.segments, &now.segments),
        settings: then.settings != now.settings,
    }
}

/// How many entries are not the same in both.
fn differing<M: Entity>(then: &Table<M>, now: &Table<M>) -> usize {
    let (changed, removed) = then.difference(now);
    changed.len() + removed.len()
}
