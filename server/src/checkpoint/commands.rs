//! Creating, judging and deleting checkpoints: operations that are decided on the state that the commit finds.

use jiff::Timestamp;
use ripcord_proto::actor::Actor;
use ripcord_proto::checkpoint::{Checkpoint, Judgement};
use ripcord_proto::digest::Digest;
use ripcord_proto::record::RecordKey;
use ripcord_proto::{CheckpointName, Position, TargetName};

use super::resolve::no_checkpoint;
use crate::commit::state::EnvironmentState;
use crate::commit::{CommitError, Expected, MissingItem, Operation, StateConflict};

/// Most judgements that a checkpoint keeps; the log has all.
const JUDGEMENTS: usize = 200;

/// A checkpoint to create of the state that the commit finds.
#[derive(Debug, Clone)]
pub struct NewCheckpoint {
    /// Its name, which must be free.
    pub name: CheckpointName,
    /// A note for people.
    pub note: Option<String>,
    pub by: Actor,
    pub at: Timestamp,
    /// Its first judgement, if any.
    pub judgement: Option<Judgement>,
}

/// Creates a checkpoint.
pub fn take(taking: NewCheckpoint) -> Operation {
    Operation::decide(move |state| Ok(vec![put(state, &taking)?]))
}

/// Puts the record of a checkpoint of `state`.
pub fn put(state: &EnvironmentState, taking: &NewCheckpoint) -> Result<Operation, CommitError> {
    let Position { epoch, revision } = state.head.position();
    let checkpoint = Checkpoint {
        name: taking.name.clone(),
        note: taking.note.clone(),
        epoch,
        revision,
        sequence: state.head.sequence,
        hash: state.hash,
        flags: state.snapshot.flags.len() as u64,
        by: taking.by.clone(),
        at: taking.at,
        judgements: taking.judgement.iter().cloned().collect(),
    };
    Operation::put_record(checkpoint.name.clone(), checkpoint, Expected::Absent)
}

/// Vouches for a checkpoint, or doubts it. `expected` is the digest of the record that the caller read, if given.
pub fn judge(name: TargetName, judgement: Judgement, expected: Option<Digest>) -> Operation {
    Operation::decide(move |state| {
        let mut checkpoint = find(state, &name)?.clone();
        let key = RecordKey::Checkpoint(checkpoint.name.clone());
        let expected = expected_of(state, &key, expected);
        checkpoint.judgements.push(judgement.clone());
        let superfluous = checkpoint.judgements.len().saturating_sub(JUDGEMENTS);
        checkpoint.judgements.drain(..superfluous);
        Ok(vec![Operation::put_record(checkpoint.name.clone(), checkpoint, expected)?])
    })
}

/// Deletes a checkpoint that no release began with.
pub fn delete(name: TargetName, expected: Option<Digest>) -> Operation {
    Operation::decide(move |state| {
        let checkpoint = find(state, &name)?;
        let mut releases = state.records.releases.values();
        if let Some(release) = releases.find(|release| release.baseline == checkpoint.name) {
            return Err(CommitError::Conflict(StateConflict::InUse {
                what: format!("checkpoint {}", checkpoint.name),
                by: format!("release {}, which rolls back to it; it is kept as long as the release", release.name),
            }));
        }
        let key = RecordKey::Checkpoint(checkpoint.name.clone());
        let expected = expected_of(state, &key, expected);
        Ok(vec![Operation::DeleteRecord(key, expected)])
    })
}

/// The expected record: the one that the caller read, else the one that the decision was made on.
fn expected_of(state: &EnvironmentState, key: &RecordKey, read: Option<Digest>) -> Expected {
    let found = read.or_else(|| state.records.digest(key));
    found.map_or(Expected::Anything, Expected::Digest)
}

fn find<'a>(state: &'a EnvironmentState, name: &TargetName) -> Result<&'a Checkpoint, CommitError> {
    match name {
        TargetName::LastKnownGood => {
            let good = state.records.last_known_good();
            good.ok_or_else(|| StateConflict::NoKnownGood(state.snapshot.environment.clone()).into())
        }
        TargetName::Checkpoint(name) => {
            let found = state.records.checkpoints.value(name.as_str());
            found.ok_or_else(|| no_checkpoint(name, &state.records).into())
        }
        TargetName::Revision(_) | TargetName::Position(_) => Err(MissingItem::NotACheckpoint(name.clone()).into()),
    }
}
