//! What a draft names that does not exist.

use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::record::RecordKey;
use ripcord_proto::{CheckpointName, EnvironmentKey, FlagKey, KillId, SegmentKey, TargetName};

/// Something that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MissingItem {
    #[error("environment {0} does not exist")]
    Environment(EnvironmentKey),
    #[error("flag {0} does not exist")]
    Flag(FlagKey),
    #[error("segment {0} does not exist")]
    Segment(SegmentKey),
    #[error("kill {0} is not in force")]
    Kill(KillId),
    #[error("{} {} does not exist", .0.kind(), .0.as_str())]
    Record(RecordKey),
    /// An API key, by its id.
    #[error("key {0} does not exist")]
    Key(String),
    #[error("There is no checkpoint {name}: {}.", alternatives(nearest))]
    Checkpoint {
        name: CheckpointName,
        /// Existing names like it.
        nearest: Vec<CheckpointName>,
    },
    /// A checkpoint is needed, and this names a revision.
    #[error("{0} is a revision, not a checkpoint. See the checkpoints: `ripcord checkpoint list`.")]
    NotACheckpoint(TargetName),
}

impl MissingItem {
    pub(super) fn problem(&self) -> Problem {
        let (code, detail) = match self {
            Self::Environment(key) => (
                Code::EnvironmentNotFound,
                format!("Environment {key} does not exist. List environments with `ripcord env list`."),
            ),
            Self::Flag(key) => (
                Code::FlagNotFound,
                format!("Flag {key} does not exist in this environment. List flags with `ripcord flags list`."),
            ),
            Self::Segment(key) => (
                Code::NotFound,
                format!("Segment {key} does not exist in this environment. List segments with `ripcord segments list`."),
            ),
            Self::Kill(id) => (Code::NotFound, format!("Kill {id} is not in force. List kills with `ripcord kill list`.")),
            Self::Record(key) => {
                let (kind, name) = (key.kind(), key.as_str());
                let detail = format!("No {kind} {name} exists in this environment. List them with `ripcord {kind} list`.");
                (Code::NotFound, detail)
            }
            Self::Key(id) => (Code::NotFound, format!("Key {id} does not exist. List keys with `ripcord keys list`.")),
            Self::Checkpoint { .. } | Self::NotACheckpoint(_) => (Code::NotFound, self.to_string()),
        };
        Problem::new(code, detail)
    }
}

fn alternatives(nearest: &[CheckpointName]) -> String {
    if nearest.is_empty() {
        return "there are none yet. Create one: `ripcord checkpoint create NAME`".to_owned();
    }
    let names: Vec<&str> = nearest.iter().map(CheckpointName::as_str).collect();
    format!("the nearest names are {}. See all: `ripcord checkpoint list`", names.join(", "))
}
