//! A client without a server, from a flags file.

use std::sync::Arc;

use ripcord_proto::flags_file::FlagsFile;
use ripcord_proto::table::{Entity, Entry, Table};
use ripcord_proto::{EnvironmentKey, Flag, Position, Segment, Snapshot, ValidationErrors};

use super::client::Client;

/// Why a flags file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlagsFileError {
    /// It is not valid. The error names each field.
    #[error("invalid flags file: {0}")]
    Invalid(ValidationErrors),
    /// A value cannot be written as JSON.
    #[error("a value in the flags file cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl From<ValidationErrors> for FlagsFileError {
    fn from(errors: ValidationErrors) -> Self {
        Self::Invalid(errors)
    }
}

impl Client {
    /// A client without a server, which always evaluates the flags of a flags file (YAML or JSON).
    ///
    /// # Errors
    ///
    /// [`FlagsFileError::Invalid`] if the file is not valid.
    pub fn from_flags_file(text: &str) -> Result<Self, FlagsFileError> {
        snapshot_of(text).map(Self::offline)
    }
}

/// The state that a flags file describes.
pub(crate) fn snapshot_of(text: &str) -> Result<Snapshot, FlagsFileError> {
    let file = FlagsFile::parse(text)?;
    let environment = file.environment.map_or_else(|| EnvironmentKey::new("test"), Ok)?;
    let mut snapshot = Snapshot::empty(environment);
    snapshot.position.revision = snapshot.position.revision.next();
    let at = snapshot.position;
    for (key, segment) in file.segments {
        insert::<Segment>(&mut snapshot.segments, key, segment, at)?;
    }
    for (key, flag) in file.flags {
        insert::<Flag>(&mut snapshot.flags, key, flag, at)?;
    }
    Ok(snapshot)
}

fn insert<M: Entity>(table: &mut Table<M>, key: M::Key, value: M, at: Position) -> Result<(), serde_json::Error> {
    table.insert(Arc::new(Entry::new(key, value, at)?));
    Ok(())
}
