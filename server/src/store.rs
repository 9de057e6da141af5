//! The store makes a commit durable and carries it to other nodes. It appends, reads and feeds; it knows no rules of flags.
//!
//! Two backends are for production: [`embedded`] (redb behind a write-ahead log, one node; group commit with an fdatasync before the
//! answer) and [`redis`] (many nodes over one Redis, each with a local mirror). [`memory`] is for tests and benches. All three pass one
//! suite, `contract`. Reads of flags never come here: a node answers from memory.
//!
//! A log is a chain of sealed commits. State is a function of the log; backends keep it beside the log (derived from the
//! changes of each commit) so that a start does not replay everything.

pub mod backup;
#[cfg(test)]
mod contract;
pub mod embedded;
pub(crate) mod epoch;
#[cfg(test)]
pub(crate) mod fault_injection;
#[cfg(test)]
pub(crate) mod fixture;
mod head;
pub mod journal;
pub mod memory;
pub mod orphans;
pub mod redis;
pub mod state;

use std::fmt;
use std::path::PathBuf;

use futures_util::future::BoxFuture;
use ripcord_proto::change::Change;
use ripcord_proto::commit::{ChainError, Sealed};
use ripcord_proto::rest::health::HealthCode;
use ripcord_proto::{Position, Sequence};
use tokio::sync::{mpsc, watch};

pub use self::head::{Head, LogName};
use self::state::StoredState;

/// Entries to append to one log in one atomic step: all of them become durable, or none.
#[derive(Debug, Clone)]
pub struct Append {
    pub log: LogName,
    /// The head that the first entry follows; the append is refused if the store's differs.
    pub expected: Head,
    /// In order, each sealed behind the one before.
    pub entries: Vec<Sealed>,
}

impl Append {
    /// The logs of the environments that this append deletes.
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

/// The part of a log that a start needs: a stored state and the entries since.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The newest stored state; `None` for the system log, and for a log that has no stored state yet.
    pub state: Option<StoredState>,
    /// Every entry after that state (all entries if there is none), verified to follow one another.
    pub tail: Vec<Sealed>,
    /// The head after the last of them.
    pub head: Head,
}

/// A whole log, as it is backed up, restored and re-seeded.
#[derive(Debug, Clone)]
pub struct Contents {
    pub log: LogName,
    /// Every entry from the first on, each following the one before it.
    pub entries: Vec<Sealed>,
    /// The newest state known, so that a start does not replay everything; `None` for the system log.
    pub state: Option<StoredState>,
}

impl Contents {
    /// What a start would load of it.
    fn loaded(&self) -> Loaded {
        let state = self.state.clone().filter(|state| self.has(state.head));
        let from = state.as_ref().map_or(Sequence(0), |state| state.head.sequence);
        let tail = self.entries.iter().filter(|entry| entry.commit.sequence > from);
        Loaded {
            tail: tail.cloned().collect(),
            head: self.head(),
            state,
        }
    }

    fn has(&self, head: Head) -> bool {
        let place = head.sequence.0.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| self.entries.get(place)).is_some_and(|entry| entry.digest == head.chain)
    }

    /// Where the log ends.
    pub fn head(&self) -> Head {
        self.entries.iter().fold(Head::START, |head, entry| head.after(entry))
    }
}

/// How a log in the store compares with a node's own copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyReport {
    /// The first entry that is missing in the store, or differs there.
    pub damaged: Option<Sequence>,
    /// Whether the store was mended from the copy.
    pub mended: bool,
}

/// The outcome of an append whose answer never came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is in the log.
    Written,
    /// It is not in the log. If its request is still on its way, it is refused as moved once anything else is appended.
    NotWritten,
}

/// A change of a log that came from other nodes, or from a repair.
#[derive(Debug)]
pub enum FeedEvent {
    /// Entries that follow those seen before, in order. This node's own appends are not repeated once they were answered with
    /// success; one whose answer never came, or whose caller has gone, appears here if it turns out to be written. Entries that
    /// follow an own append may arrive before that append is answered: go by the sequence, and ignore what is already known.
    Entries { log: LogName, entries: Vec<Sealed> },
    /// The log was re-seeded or restored in a new epoch: replace whatever was known before.
    Replaced {
        log: LogName,
        loaded: Box<Loaded>,
        /// Entries that this node had and the new log does not. Their kills are merged, the others are reported.
        orphaned: Vec<Sealed>,
    },
    /// The log was removed.
    Dropped { log: LogName },
}

/// The health of a store.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StoreHealth {
    pub state: StoreState,
    /// When it entered this state.
    pub since: jiff::Timestamp,
    /// What is wrong with it; `None` if it is available.
    pub code: Option<HealthCode>,
    /// Why, for people; empty if it is available.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Whether the store is known to have entries that this node lacks.
    pub behind: bool,
    /// Why this node's own copy cannot be written, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,
    /// Settings of the store that can lose acknowledged data, each with how to fix it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl StoreHealth {
    /// Of a store that works.
    pub const fn available(since: jiff::Timestamp) -> Self {
        Self {
            state: StoreState::Available,
            since,
            code: None,
            why: String::new(),
            behind: false,
            mirror: None,
            warnings: Vec::new(),
        }
    }
}

/// Whether appends can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreState {
    Available,
    /// It cannot be reached; flags are served from memory.
    Unreachable,
    /// It answers, but takes no writes.
    RefusesWrites,
    /// It came back empty, older or diverged, and nodes are re-seeding it.
    Reseeding,
}

/// Why an append did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The log does not end where the append expects; nothing was written. The feed brings what is missing.
    #[error("the log ends at {actual:?}, not where the append expects")]
    Moved { actual: Head },
    /// Nothing was written.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// Nothing was written.
    #[error("the store is being re-seeded")]
    Reseeding,
    /// The request was sent and no answer came: either everything was written, or nothing.
    #[error("the store did not confirm the write: {0}")]
    Unknown(String),
}

/// Why a start, a read, a load or maintenance failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// Another process uses the data directory.
    #[error("the data directory {} is in use by another process; stop that process, or choose another directory with --data-dir", .0.display())]
    InUse(PathBuf),
    /// A file cannot be opened, read or written.
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// What is stored is not what was written. It is refused; nothing is repaired or skipped silently.
    #[error("{0}")]
    Corrupt(String),
    /// A backup is older than what the store holds.
    #[error(
        "the store holds commits that the backup {} does not hold (in {logs}); nothing was restored. Take a backup of it first; to lose \
         them on purpose, add --restore-backup-over {token}", file.display()
    )]
    Newer {
        file: PathBuf,
        logs: String,
        /// Names exactly what would be overwritten.
        token: String,
    },
    /// The hash chain is broken.
    #[error("{log}: {source}")]
    Chain { log: LogName, source: ChainError },
}

/// A backend. All of them pass the suite in `contract`.
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Loads the part of a log that a start needs.
    fn load<'a>(&'a self, log: &'a LogName) -> BoxFuture<'a, Result<Loaded, StoreError>>;

    /// Appends atomically, and durably before it returns. Appends to different logs may share one write. If several appends to
    /// one log are under way, one that arrives before its predecessor is refused as moved. Dropping the future does not cancel
    /// the append.
    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), AppendError>>;

    /// Up to `limit` entries after `after`, in order, verified to follow one another. Works without the network.
    fn read<'a>(&'a self, log: &'a LogName, after: Sequence, limit: usize) -> BoxFuture<'a, Result<Vec<Sealed>, StoreError>>;

    /// The newest stored state at or before `revision` of `epoch`, from which older states are rebuilt with `read`.
    fn state_before<'a>(&'a self, log: &'a LogName, at: Position) -> BoxFuture<'a, Result<Option<StoredState>, StoreError>>;

    /// Stores a state, so that starts and reads of history replay less. Called from time to time, off the commit path.
    fn keep_state<'a>(&'a self, log: &'a LogName, state: StoredState) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Whether an append that returned `AppendError::Unknown` was written.
    fn settle<'a>(&'a self, append: &'a Append) -> BoxFuture<'a, Result<Settled, StoreError>>;

    /// Compares a log in the store with this node's own copy, entry by entry, and mends the store from the copy. `None` if there is
    /// no copy.
    fn compare<'a>(&'a self, _log: &'a LogName) -> BoxFuture<'a, Result<Option<CopyReport>, StoreError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// All logs, including the system log once it has an entry.
    fn logs(&self) -> BoxFuture<'_, Result<Vec<LogName>, StoreError>>;

    /// Replaces each of these logs as a whole; logs that are not named stay. For restoring a backup.
    fn install(&self, contents: Vec<Contents>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Removes a log and its states. Its name may be used again, from the start. The log of a deleted environment is removed by
    /// the entry of the system log that deletes it. If a log vanishes without that entry, other nodes take it for a loss and
    /// re-seed it.
    fn drop_log<'a>(&'a self, log: &'a LogName) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Its health, now and from now on.
    fn health(&self) -> watch::Receiver<StoreHealth>;

    /// Commits of other nodes. Can be taken once; `None` for a backend of one node.
    fn feed(&self) -> Option<mpsc::Receiver<FeedEvent>>;

    /// Flushes and closes. Called last.
    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}
