//! Checkpoints: named pointers to revisions, which can be marked known-good with evidence.

use crate::actor::Actor;
use crate::key::CheckpointName;
use crate::revision::{Position, Revision, Sequence};
use crate::snapshot::ContentHash;
use crate::table::Entity;
use crate::validation::ValidationErrors;

/// A named pointer to a revision. Its state is read from the log and verified with the hash.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Checkpoint {
    /// The checkpoint's name, unique within its environment.
    pub name: CheckpointName,
    /// A note for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The epoch of the revision that it points to.
    pub epoch: crate::revision::Epoch,
    /// The revision that it points to.
    pub revision: Revision,
    /// The last log entry that is part of its state.
    pub sequence: Sequence,
    /// The content hash of its snapshot.
    pub hash: ContentHash,
    /// Number of flags in its snapshot.
    pub flags: u64,
    /// Who created the checkpoint.
    pub by: Actor,
    /// When the checkpoint was created.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// Judgements that it is good or doubted, in order. The last one counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judgements: Vec<Judgement>,
}

/// A judgement whether a checkpoint is known-good, by a person, a pipeline or the server.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Judgement {
    /// Whether the checkpoint is good or doubted.
    pub verdict: CheckpointVerdict,
    /// Who gave the verdict.
    pub by: Actor,
    /// When the verdict was given.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// The evidence, or the reason of the doubt, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// Figures that support the evidence: `{"error_rate": 0.002, "soaked_seconds": 1800}`.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub figures: serde_json::Map<String, serde_json::Value>,
}

/// The verdict of a judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum CheckpointVerdict {
    /// The checkpoint is known-good.
    Vouched,
    /// The checkpoint is not known-good, or no longer.
    Doubted,
}

/// The state of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CheckpointState {
    /// It was never judged.
    Unvouched,
    /// The last judgement says that it is known-good.
    KnownGood,
    /// The last judgement says that it is doubted.
    Doubted,
}

impl Checkpoint {
    /// The position that it points to.
    pub const fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            revision: self.revision,
        }
    }

    /// The current state of the checkpoint.
    pub fn standing(&self) -> CheckpointState {
        match self.judgements.last().map(|judgement| judgement.verdict) {
            None => CheckpointState::Unvouched,
            Some(CheckpointVerdict::Vouched) => CheckpointState::KnownGood,
            Some(CheckpointVerdict::Doubted) => CheckpointState::Doubted,
        }
    }
}

impl Entity for Checkpoint {
    type Key = CheckpointName;
    const KIND: &'static str = "checkpoint";

    fn parse(json: &str) -> Result<Self, ValidationErrors> {
        serde_json::from_str(json).map_err(|error| ValidationErrors::one("", error.to_string()))
    }
}
