//! Beginning, describing and finishing releases: operations that are decided on the state that the commit finds.

use jiff::Timestamp;
use ripcord_proto::actor::Actor;
use ripcord_proto::digest::Digest;
use ripcord_proto::record::{RecordKey, Records};
use ripcord_proto::release::{Release, ReleaseDetails, ReleaseEnd, ReleaseState};
use ripcord_proto::rest::releases::ReleasePatch;
use ripcord_proto::{CheckpointName, ReleaseName, limits};

use crate::checkpoint::{self, NewCheckpoint};
use crate::commit::state::EnvironmentState;
use crate::commit::{CommitError, Expected, MissingItem, Operation, StateConflict};

/// Characters of a baseline's name that are left for the release's.
const BASELINE_CHARACTERS: usize = limits::KEY_CHARACTERS - 16;

/// A release to begin.
#[derive(Debug, Clone)]
pub struct NewRelease {
    /// Its name, which must be free.
    pub name: ReleaseName,
    /// Its details.
    pub details: ReleaseDetails,
    /// Who begins it.
    pub by: Actor,
    pub at: Timestamp,
}

/// Creates the checkpoint that a release rolls back to, and opens the release; both or neither.
pub fn begin(beginning: NewRelease) -> Operation {
    Operation::decide(move |state| {
        let taking = NewCheckpoint {
            name: baseline(&state.records, &beginning.name)?,
            note: Some(format!("before release {}", beginning.name)),
            by: beginning.by.clone(),
            at: beginning.at,
            judgement: None,
        };
        let release = Release {
            name: beginning.name.clone(),
            baseline: taking.name.clone(),
            state: ReleaseState::Open,
            by: beginning.by.clone(),
            at: beginning.at,
            finished: None,
            details: beginning.details.clone(),
            commits: 0,
            last: None,
        };
        Ok(vec![
            Operation::put_record(release.name.clone(), release, Expected::Absent)?,
            checkpoint::put(state, &taking)?,
        ])
    })
}

/// Changes the details of a release. `expected` is the digest of the record that the caller read, if given.
pub fn set(name: ReleaseName, patch: ReleasePatch, expected: Option<Digest>) -> Operation {
    Operation::decide(move |state| {
        let release = open(&state.records, &name)?;
        let changed = Release {
            details: patch.apply(&release.details).map_err(CommitError::from)?,
            ..release.clone()
        };
        Ok(vec![Operation::put_record(name.clone(), changed, expected_of(state, &name, expected))?])
    })
}

/// Finishes a release: nothing can join it afterwards. A finished one does not change.
pub fn finish(name: ReleaseName, by: Actor, at: Timestamp, expected: Option<Digest>) -> Operation {
    Operation::decide(move |state| {
        let release = find(&state.records, &name)?;
        if release.state == ReleaseState::Finished {
            return Ok(Vec::new());
        }
        let finished = Release {
            state: ReleaseState::Finished,
            finished: Some(ReleaseEnd { by: by.clone(), at }),
            ..release.clone()
        };
        Ok(vec![Operation::put_record(name.clone(), finished, expected_of(state, &name, expected))?])
    })
}

/// A free name for the checkpoint before a release: `before-web-12`, `before-web-12-2`, …
fn baseline(records: &Records, release: &ReleaseName) -> Result<CheckpointName, CommitError> {
    let short: String = release.as_str().chars().take(BASELINE_CHARACTERS).collect();
    let first = std::iter::once(format!("before-{short}"));
    let mut names = first.chain((2_u64..).map(|number| format!("before-{short}-{number}")));
    let free = names.find(|name| records.checkpoints.get(name).is_none()).unwrap_or_default();
    CheckpointName::new(&free).map_err(CommitError::from)
}

fn find<'a>(records: &'a Records, name: &ReleaseName) -> Result<&'a Release, CommitError> {
    let found = records.releases.value(name.as_str());
    found.ok_or_else(|| CommitError::NotFound(MissingItem::release(name, &records.releases)))
}

fn open<'a>(records: &'a Records, name: &ReleaseName) -> Result<&'a Release, CommitError> {
    let release = find(records, name)?;
    match release.state {
        ReleaseState::Open => Ok(release),
        ReleaseState::Finished => Err(CommitError::Conflict(StateConflict::ReleaseFinished(name.clone()))),
    }
}

/// The expected record: the one that the caller read, else the one that the decision was made on.
fn expected_of(state: &EnvironmentState, name: &ReleaseName, read: Option<Digest>) -> Expected {
    let found = read.or_else(|| state.records.digest(&RecordKey::Release(name.clone())));
    found.map_or(Expected::Anything, Expected::Digest)
}
