//! The store: what makes a commit durable and carries it to other nodes. It appends, reads and feeds; it knows no rules.
//!
//! Two backends are for use: [`embedded`] (redb, one node; group commit with an fsync before the answer) and [`redis`] (many
//! nodes over one Redis, each with a local mirror). [`memory`] serves tests and `ripcord demo`. All three pass one suite,
//! `contract`. Reads of flags never come here: a node answers from memory.
//!
//! A log is a chain of sealed commits. State is a function of the log; backends keep it beside the log (derived from the
//! changes of each commit) so that a start does not replay everything.

pub mod backup;
#[cfg(test)]
mod contract;
pub mod embedded;
mod epoch;
#[cfg(test)]
pub(crate) mod faulty;
pub mod journal;
pub mod memory;
pub mod redis;
pub mod state;

use std::fmt;
use std::path::PathBuf;

use futures_util::future::BoxFuture;
use ripcord_proto::change::Change;
use ripcord_proto::commit::{ChainError, Sealed};
use ripcord_proto::digest::Digest;
use ripcord_proto::{EnvironmentKey, Epoch, ValidationErrors, Position, Revision, Sequence};
use tokio::sync::{mpsc, watch};

use self::state::StoredState;

/// A log: one for each environment, and `system` for keys and environments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogName {
    /// Keys and environments.
    System,
    /// The commits of an environment.
    Environment(EnvironmentKey),
}

impl LogName {
    /// As it is written: `system`, or the environment's name, which can never be `system`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::System => "system",
            Self::Environment(key) => key.as_str(),
        }
    }

    /// The log that is written so.
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

/// Where a log ends. An append names the head that it follows; it is refused where the store's differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Head {
    /// The epoch.
    pub epoch: Epoch,
    /// The last revision that was made.
    pub revision: Revision,
    /// The last entry's place.
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

    /// Epoch and revision.
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

/// Entries to append to one log in one atomic step: all of them become durable, or none.
#[derive(Debug, Clone)]
pub struct Append {
    /// The log.
    pub log: LogName,
    /// The head that the first entry follows.
    pub expected: Head,
    /// The entries, in order, each sealed behind the one before.
    pub entries: Vec<Sealed>,
}

impl Append {
    /// The logs of environments that this append says are gone.
    fn ended_logs(&self) -> impl Iterator<Item = LogName> {
        let changes = self.entries.iter().flat_map(|entry| &entry.commit.changes);
        changes.filter_map(|change| match (&self.log, change) {
            (LogName::System, Change::DeleteEnvironment(key)) => Some(LogName::Environment(key.clone())),
            _ => None,
        })
    }

    /// The head after the last entry.
    pub fn head(&self) -> Head {
        self.entries.iter().fold(self.expected, |head, entry| head.after(entry))
    }
}

/// What a log holds: a stored state and the entries since.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The state at some entry; `None` for the system log, and for a log that has no stored state yet.
    pub state: Option<StoredState>,
    /// Every entry after that state (all, where there is none), proven to follow one another.
    pub tail: Vec<Sealed>,
    /// The head after the last of them.
    pub head: Head,
}

/// A whole log, as it is backed up, restored and seeded.
#[derive(Debug, Clone)]
pub struct Contents {
    /// The log.
    pub log: LogName,
    /// Every entry from the first on, each following the one before it.
    pub entries: Vec<Sealed>,
    /// The newest state known, so that a start need not replay everything; `None` for the system log.
    pub state: Option<StoredState>,
}

impl Contents {
    /// Where the log ends.
    pub fn head(&self) -> Head {
        self.entries.iter().fold(Head::START, |head, entry| head.after(entry))
    }
}

/// What became of an append whose answer never came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is in the log.
    Written,
    /// It is not in the log. A request that is still on its way finds the log moved as soon as anything is appended.
    NotWritten,
}

/// Something that came from other nodes, or from a repair.
#[derive(Debug)]
pub enum FeedEvent {
    /// Entries that follow what was seen before, one behind the other. Own appends are not repeated once they were answered
    /// with success; one whose answer never came, or whose caller went away, comes here when it turns out to be written. What
    /// follows an own append may come before that append is answered: go by the sequence, and ignore what is known already.
    Entries {
        /// The log.
        log: LogName,
        /// In order.
        entries: Vec<Sealed>,
    },
    /// The log was re-seeded or restored in a new epoch: take this whole, whatever was known before.
    Replaced {
        /// The log.
        log: LogName,
        /// What it holds now.
        loaded: Box<Loaded>,
        /// Entries that this node had and the new log has not. Their kills are to be merged, the rest is reported.
        orphaned: Vec<Sealed>,
    },
    /// The log is no longer there.
    Dropped {
        /// The log.
        log: LogName,
    },
}

/// How the store is, since when, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StoreHealth {
    /// The state.
    pub state: StoreState,
    /// Since when.
    pub since: jiff::Timestamp,
    /// Why, in words; empty when all is well.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Settings of the store that can lose acknowledged data, each with the way out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Whether appends can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreState {
    /// Yes.
    Available,
    /// It cannot be reached; memory goes on serving.
    Unreachable,
    /// It is reachable, came back empty, older or diverged, and is being filled again.
    Reseeding,
}

/// Why an append did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The log does not end where the append says; nothing was written. The feed brings what is missing.
    #[error("the log ends at {actual:?}, not where the append expects")]
    Moved {
        /// Where it ends.
        actual: Head,
    },
    /// Nothing was written, for certain.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// It is being filled again; nothing was written.
    #[error("the store is being filled again")]
    Reseeding,
    /// The request went out and no answer came: it was written whole or not at all.
    #[error("the store did not say whether it wrote: {0}")]
    Unknown(String),
}

/// Why a start, a read, a load or maintenance failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// Another process has the data directory.
    #[error("the data directory {} is in use by another process; stop that one, or give this one its own with --data-dir", .0.display())]
    InUse(PathBuf),
    /// A file cannot be opened, read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What is stored is not what was written: a clear refusal, never a silent loss.
    #[error("{0}")]
    Corrupt(String),
    /// The chain is broken.
    #[error("{log}: {source}")]
    Chain {
        /// The log.
        log: LogName,
        /// Where and how.
        source: ChainError,
    },
}

/// A backend.
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Everything about a log that a start needs.
    fn load<'a>(&'a self, log: &'a LogName) -> BoxFuture<'a, Result<Loaded, StoreError>>;

    /// Appends atomically, and durably before it answers. Appends of different logs may be written in one go. Of
    /// several to one log that are under way at once, one that arrives before its predecessor is refused as moved. Dropping the
    /// future does not take the append back.
    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), AppendError>>;

    /// Up to `limit` entries after `after`, in order, proven to follow one another. Works without the network.
    fn read<'a>(&'a self, log: &'a LogName, after: Sequence, limit: usize) -> BoxFuture<'a, Result<Vec<Sealed>, StoreError>>;

    /// The newest stored state at or before `revision` of `epoch`, from which older states are rebuilt with `read`.
    fn state_before<'a>(&'a self, log: &'a LogName, at: Position) -> BoxFuture<'a, Result<Option<StoredState>, StoreError>>;

    /// Keeps a state, so that starts and looks back replay less. Called now and then by the follower, off the commit path.
    fn keep_state<'a>(&'a self, log: &'a LogName, state: StoredState) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Whether an append that ended in [`AppendError::Unknown`] was written after all.
    fn settle<'a>(&'a self, append: &'a Append) -> BoxFuture<'a, Result<Settled, StoreError>>;

    /// The logs that there are, the system log among them once it has an entry.
    fn logs(&self) -> BoxFuture<'_, Result<Vec<LogName>, StoreError>>;

    /// Replaces each of these logs as a whole, one that is not named stays. For restoring a backup.
    fn install(&self, contents: Vec<Contents>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Removes a log and its states. Its name may be used again, from the start. An environment's log need not be removed: it goes
    /// with the entry of the system log that says that the environment is gone. One that vanishes without that is taken for a
    /// loss by other nodes, and filled again.
    fn drop_log<'a>(&'a self, log: &'a LogName) -> BoxFuture<'a, Result<(), StoreError>>;

    /// How it is, now and from now on.
    fn health(&self) -> watch::Receiver<StoreHealth>;

    /// What other nodes commit. Can be taken once; a backend of one node has none.
    fn feed(&self) -> Option<mpsc::Receiver<FeedEvent>>;

    /// Writes out what is still buffered and closes. Called last.
    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}
