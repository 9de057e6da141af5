//! The name of a log, and where it ends.

use std::fmt;

use ripcord_proto::commit::Sealed;
use ripcord_proto::digest::Digest;
use ripcord_proto::{EnvironmentKey, Epoch, Position, Revision, Sequence, ValidationErrors};

/// A log: one for each environment, and `system` for keys and environments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogName {
    /// Keys and environments.
    System,
    /// The commits of an environment.
    Environment(EnvironmentKey),
}

impl LogName {
    /// `system`, or the environment's key, which cannot be `system`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::System => "system",
            Self::Environment(key) => key.as_str(),
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Result<Self, ValidationErrors> {
        if text == "system" {
            return Ok(Self::System);
        }
        EnvironmentKey::new(text).map(Self::Environment)
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a log ends. An append names the head that it follows, and is refused if the store's differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Head {
    pub epoch: Epoch,
    /// The last revision.
    pub revision: Revision,
    /// The last entry's sequence number.
    pub sequence: Sequence,
    /// The last entry's digest.
    pub chain: Digest,
}

impl Head {
    /// The head of a log without entries.
    pub const START: Self = Self {
        epoch: Epoch(1),
        revision: Revision(0),
        sequence: Sequence(0),
        chain: Digest::ZERO,
    };

    pub const fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            revision: self.revision,
        }
    }

    /// The head after `entry`.
    #[must_use]
    pub fn after(&self, entry: &Sealed) -> Self {
        Self {
            epoch: entry.commit.epoch,
            revision: entry.commit.revision.unwrap_or(self.revision),
            sequence: entry.commit.sequence,
            chain: entry.digest,
        }
    }
}
