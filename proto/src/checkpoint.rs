//! Checkpoints: named pointers to revisions, known-good once someone has vouched for them with evidence.

use crate::actor::Actor;
use crate::key::CheckpointName;
use crate::revision::{Position, Revision, Sequence};
use crate::snapshot::ContentHash;
use crate::table::Entity;
use crate::validation::ValidationErrors;

/// A named pointer to a revision. Its state is read back from the log; the hash proves it.
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
    /// The last entry of the log that belongs to it.
    pub sequence: Sequence,
    /// The content hash of the snapshot there.
    pub hash: ContentHash,
    /// How many flags that snapshot holds.
    pub flags: u64,
    /// Who created the checkpoint.
    pub by: Actor,
    /// When the checkpoint was created.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// Who vouched for it or doubted it, in order. The last word counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judgements: Vec<Judgement>,
}

/// Somebody, or something, says whether a checkpoint is known to be good.
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
    /// Evidence, or the reason of the doubt, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// The figures of the evidence: `{"error_rate": 0.002, "soaked_seconds": 1800}`.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub figures: serde_json::Map<String, serde_json::Value>,
}

/// What a judgement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum CheckpointVerdict {
    /// It is known to be good.
    Vouched,
    /// It is not, or not any more.
    Doubted,
}

/// How a checkpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CheckpointState {
    /// Nobody has said anything about it.
    Unvouched,
    /// The last word on it is a vouch.
    KnownGood,
    /// The last word on it is a doubt.
    Doubted,
}

impl Checkpoint {
    /// Where it points to.
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
