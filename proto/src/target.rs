//! Targets of rollbacks: a checkpoint, `last-known-good`, or a revision.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;
use crate::key::{CheckpointName, LAST_KNOWN_GOOD};
use crate::revision::{Epoch, Position, Revision, RevisionReference};
use crate::validation::ValidationErrors;

/// The name of a target. In JSON a revision may also be a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetName {
    /// `last-known-good`: the newest known-good checkpoint.
    LastKnownGood,
    /// The checkpoint with this name.
    Checkpoint(CheckpointName),
    /// `41`: a revision of any epoch.
    Revision(Revision),
    /// `1:41`: a revision of this epoch.
    Position(Position),
}

/// A state to roll back to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RollbackTarget {
    /// The epoch of the revision.
    pub epoch: Epoch,
    /// The target's revision.
    pub revision: Revision,
    /// The content hash of the state.
    pub hash: Digest,
    /// The checkpoint, if the target was named by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointName>,
}

impl RollbackTarget {
    /// The target's position in the log.
    pub const fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            revision: self.revision,
        }
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LastKnownGood => f.write_str(LAST_KNOWN_GOOD),
            Self::Checkpoint(name) => name.fmt(f),
            Self::Revision(revision) => revision.fmt(f),
            Self::Position(position) => position.fmt(f),
        }
    }
}

impl FromStr for TargetName {
    type Err = ValidationErrors;

    fn from_str(text: &str) -> Result<Self, ValidationErrors> {
        if text == LAST_KNOWN_GOOD {
            return Ok(Self::LastKnownGood);
        }
        match RevisionReference::parse(text) {
            Some(RevisionReference::Revision(revision)) => Ok(Self::Revision(revision)),
            Some(RevisionReference::Position(position)) => Ok(Self::Position(position)),
            None => CheckpointName::new(text).map(Self::Checkpoint),
        }
    }
}

impl serde::Serialize for TargetName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Revision(revision) => revision.serialize(serializer),
            Self::LastKnownGood | Self::Checkpoint(_) | Self::Position(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> serde::Deserialize<'de> for TargetName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(revision) => Ok(Self::Revision(Revision(revision))),
            Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for TargetName {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        String::schema()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for TargetName {}

#[cfg(test)]
mod tests {
    use super::TargetName;
    use crate::{CheckpointName, Position, Revision};

    #[test]
    fn a_target_is_read_as_it_is_printed() {
        let named = [
            ("last-known-good", TargetName::LastKnownGood),
            ("before-web-12", TargetName::Checkpoint(CheckpointName::new("before-web-12").unwrap())),
            ("41", TargetName::Revision(Revision(41))),
            ("1:41", TargetName::Position(Position::new(1, 41))),
        ];
        for (text, name) in named {
            assert_eq!(text.parse::<TargetName>().unwrap(), name);
            assert_eq!(name.to_string(), text);
            let json = serde_json::to_string(&name).unwrap();
            assert_eq!(serde_json::from_str::<TargetName>(&json).unwrap(), name);
        }
        assert!("no such name".parse::<TargetName>().is_err());
    }

    #[test]
    fn a_revision_in_json_is_a_number_or_a_text() {
        for json in ["41", "\"41\""] {
            assert_eq!(serde_json::from_str::<TargetName>(json).unwrap(), TargetName::Revision(Revision(41)));
        }
    }

    #[test]
    fn no_checkpoint_is_called_as_a_revision_is() {
        for text in ["41", "1:41", "last-known-good"] {
            assert!(CheckpointName::new(text).is_err(), "{text}");
        }
        for text in ["v41", "1:a", "41-before"] {
            assert!(CheckpointName::new(text).is_ok(), "{text}");
        }
    }
}
