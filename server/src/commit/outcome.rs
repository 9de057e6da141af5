//! The outcome of a draft, as values. Only [`Outcome::Replayed`] holds bytes: those of the first answer.

use std::sync::Arc;

use ripcord_proto::change::Change;
use ripcord_proto::commit::{Commit, Recorded};
use ripcord_proto::proposal::Proposal;
use ripcord_proto::record::Records;
use ripcord_proto::table::{Entry, Table};
use ripcord_proto::{FlagKey, Kill, Position, Segment};

use super::error::CommitError;

/// The outcome of a draft that was not refused.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It was committed, and every reader on this node is served by it.
    Written(Applied),
    /// Everything was already that way; there is no commit.
    Unchanged(Applied),
    /// The policy requires a second person: this proposal was committed instead, and nothing of the draft was done.
    Proposed(Arc<Entry<Proposal>>),
    /// The same idempotent call was answered before.
    Replayed {
        /// The first answer.
        recorded: Recorded,
        /// Where the log is now.
        position: Position,
    },
}

/// What a draft did.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The position from which it is in force: a new one, or the current one if no evaluation has changed.
    pub position: Position,
    /// The changes, in order; empty if everything was already that way.
    pub changes: Vec<Change>,
    /// Flags whose definition or cover by kills changed.
    pub flags: Vec<FlagKey>,
    /// Of these flags, those that a kill in the log still covers although the draft lifted one.
    pub still_killed: Vec<FlagKey>,
    /// The segments after it.
    pub segments: Table<Segment>,
    /// The kill, if the draft asked for one.
    pub kill: Option<(Arc<Kill>, KillStatus)>,
    /// The records after it.
    pub records: Arc<Records>,
    /// The commit, once it is durable; `None` if nothing had to change.
    pub commit: Option<Arc<Commit>>,
}

/// Whether the kill was already in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillStatus {
    /// This order made it.
    New,
    /// Its scope was killed already.
    Existing,
}

impl Outcome {
    /// What was done, for a caller whose draft must be done or fail.
    ///
    /// # Errors
    /// [`CommitError::Proposed`] if it waits for a second person, [`CommitError::Replayed`] if it was answered before.
    pub fn applied(self) -> Result<Applied, CommitError> {
        match self {
            Self::Written(applied) | Self::Unchanged(applied) => Ok(applied),
            Self::Proposed(proposal) => Err(CommitError::Proposed(proposal)),
            Self::Replayed { recorded, .. } => Err(CommitError::Replayed(Box::new(recorded))),
        }
    }

    /// The position from which it is in force; for a replay, the current end of the log.
    pub fn position(&self) -> Position {
        match self {
            Self::Written(applied) | Self::Unchanged(applied) => applied.position,
            Self::Proposed(proposal) => proposal.changed(),
            Self::Replayed { position, .. } => *position,
        }
    }

    /// Whether it was answered before.
    pub const fn is_replayed(&self) -> bool {
        matches!(self, Self::Replayed { .. })
    }
}
