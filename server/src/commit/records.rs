//! Records in the commit path: each must be as expected before it is written, and a commit joins its release.

use std::sync::Arc;

use ripcord_proto::record::{Record, RecordKey, Records};
use ripcord_proto::release::{Release, ReleaseState};
use ripcord_proto::table::{Entity, Entry};
use ripcord_proto::{Position, ReleaseName, Sequence};

use super::error::{CommitError, MissingItem, StateConflict};
use super::operation::{Expected, Operation};

/// Refuses a write of a record that is not as expected.
pub(super) fn check(records: &Records, key: &RecordKey, expected: Expected) -> Result<(), CommitError> {
    match (expected, records.digest(key)) {
        (Expected::Anything, _) | (Expected::Absent, None) => Ok(()),
        (Expected::Absent, Some(_)) => Err(CommitError::Conflict(StateConflict::Exists {
            what: format!("a {} {}", key.kind(), key.as_str()),
        })),
        (Expected::Digest(_), None) => Err(CommitError::NotFound(MissingItem::Record(key.clone()))),
        (Expected::Digest(digest), Some(actual)) if digest == actual => Ok(()),
        (Expected::Digest(_), Some(_)) => Err(CommitError::Conflict(StateConflict::RecordMoved(key.clone()))),
    }
}

/// Refuses a node that has lost the leader lease.
pub(super) fn check_driver(records: &Records, token: u64) -> Result<(), CommitError> {
    match records.driver() {
        Some(driver) if driver.token == token => Ok(()),
        Some(_) | None => Err(CommitError::Conflict(StateConflict::NotLeader)),
    }
}

/// The release as it is after one more commit, whose place in the log is `sequence`.
pub(super) fn joined(records: &Records, name: &ReleaseName, sequence: Sequence) -> Result<Record, CommitError> {
    let Some(release) = records.releases.value(name.as_str()) else {
        return Err(CommitError::NotFound(MissingItem::release(name, &records.releases)));
    };
    if release.state == ReleaseState::Finished {
        return Err(CommitError::Conflict(StateConflict::ReleaseFinished(name.clone())));
    }
    let joined = Release {
        commits: release.commits + 1,
        last: Some(sequence),
        ..release.clone()
    };
    Ok(record_entry(name.clone(), joined)?.into())
}

/// The entry of a record to write. Its position does not count: a record has the position of the commit that writes it.
pub(crate) fn record_entry<M: Entity>(key: M::Key, value: M) -> Result<Arc<Entry<M>>, CommitError> {
    Entry::new(key, value, Position::START)
        .map(Arc::new)
        .map_err(|error| CommitError::Internal(error.to_string()))
}

impl Operation {
    /// Creates or replaces a record, if it is as expected.
    pub fn put_record<M>(key: M::Key, value: M, expected: Expected) -> Result<Self, CommitError>
    where
        M: Entity,
        Record: From<Arc<Entry<M>>>,
    {
        Ok(Self::PutRecord(record_entry(key, value)?.into(), expected))
    }
}
