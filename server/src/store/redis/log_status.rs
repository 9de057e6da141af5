//! How a log in Redis compares with the same log as this node knows it.

use super::keys::{self, StoredHead};
use crate::store::Head;

/// The result of one comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogStatus {
    /// The same.
    InSync,
    /// It continues beyond what this node knows; the feed brings the rest.
    Longer(Head),
    /// It ends before what this node knows: Redis came back empty or older.
    Behind(Head),
    /// It has different entries.
    Diverged(Head),
    /// Its head is not something that ripcord writes.
    Unreadable(String),
    /// Nodes are filling it again.
    Reseeding,
}

impl LogStatus {
    /// Compares a log whose `head` is stored so with one that ends at `known` here. `continues` says whether the log in Redis contains
    /// the last entry that this node knows; `None` asks for it, if it matters.
    pub(crate) fn of(known: Head, head: &str, continues: Option<bool>) -> Option<Self> {
        Some(match keys::parse_head(head) {
            Some(StoredHead::At(stored)) if stored == known => Self::InSync,
            Some(StoredHead::At(stored)) if stored.sequence > known.sequence => {
                if continues? {
                    Self::Longer(stored)
                } else {
                    Self::Diverged(stored)
                }
            }
            Some(StoredHead::At(stored)) if stored.epoch > known.epoch => Self::Diverged(stored),
            Some(StoredHead::At(stored)) => Self::Behind(stored),
            Some(StoredHead::Reseeding) => Self::Reseeding,
            None => Self::Unreadable(head.to_owned()),
        })
    }

    /// What a node does about it.
    pub(crate) fn step(&self, known: Head) -> ReseedStep {
        match self {
            Self::InSync | Self::Longer(_) => ReseedStep::Nothing,
            Self::Unreadable(head) => ReseedStep::Claim { seen: head.clone() },
            Self::Reseeding => ReseedStep::Claim {
                seen: keys::RESEEDING.to_owned(),
            },
            // A later epoch was agreed upon without this node.
            Self::Diverged(stored) if stored.epoch > known.epoch => ReseedStep::Adopt,
            Self::Diverged(stored) if rank(*stored) > rank(known) => ReseedStep::AdoptAndBeginEpoch,
            Self::Behind(stored) | Self::Diverged(stored) => ReseedStep::Claim {
                seen: keys::head_text(*stored),
            },
        }
    }
}

/// What a node does about a log that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReseedStep {
    Nothing,
    /// Offers to fill the log; `seen` is its head.
    Claim {
        seen: String,
    },
    /// Replaces its own copy.
    Adopt,
    /// The same, and begins a new epoch, so that readers do not mix two histories.
    AdoptAndBeginEpoch,
}

/// Claims are compared by this text; the highest wins.
pub(crate) fn rank(head: Head) -> String {
    format!("{:020} {:020} {:020} {}", head.epoch.0, head.revision.0, head.sequence.0, head.chain)
}
