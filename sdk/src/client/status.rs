//! What the client says of itself.

use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::{EnvironmentKey, KillId, Position};

/// Where the client is with the server. Evaluations never wait for any of these: they answer from what is in force.
///
/// | from | when | to |
/// | --- | --- | --- |
/// | `Connecting` | the server's state is in force | `Ready` |
/// | `Connecting` | the first try failed and the disk cache's state is in force | `Stale` |
/// | `Ready` | the stream ended, fell silent, or is of a node that is behind | `Stale` |
/// | `Ready`, `Stale` | what came does not fit what is here (a gap, another content hash) | `Resyncing` |
/// | `Resyncing` | a state that fits is in force | `Ready` |
/// | `Resyncing` | the server's states disagreed with their own hashes again and again | `Stale`, asking again later |
/// | `Stale` | the server's state is in force again | `Ready` |
/// | any | [`close`](crate::Client::close), or the last handle was dropped | `Closed` |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing has been heard from the server in this process yet.
    Connecting,
    /// What the server has is in force.
    Ready,
    /// The last known state is in force, and the server may have moved on.
    Stale,
    /// The last good state is in force; a snapshot was asked for.
    Resyncing,
    /// The client has ended. What was in force goes on answering.
    Closed,
}

impl State {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Ready => "ready",
            Self::Stale => "stale",
            Self::Resyncing => "resyncing",
            Self::Closed => "closed",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the state in force came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// There is none: callers get their own defaults.
    Nothing,
    /// The disk cache of an earlier process.
    Cache,
    /// The server.
    Server,
    /// A snapshot, a flags file or a test: [`Client::offline`](crate::Client::offline).
    Offline,
}

/// Why the client is not ready.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No connection, or a broken one. It is tried again with backoff.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// The server refused the key or the environment. It is tried again about once a minute.
    #[error("the server refused this client ({status}): {detail}; check the key and its environments")]
    Refused {
        /// The HTTP status: 401, 403 or 404.
        status: u16,
        /// What the server said.
        detail: String,
    },
    /// Nothing came for longer than the silence that is allowed.
    #[error("nothing was heard from the server for {} s", .0.as_secs())]
    Silent(Duration),
    /// The server said goodbye.
    #[error("the server said goodbye: {0}")]
    Goodbye(String),
    /// The node that is connected has an older state than the one in force here, which therefore stays.
    #[error(
        "the server is at {theirs}, behind {own} which is in force here and stays until it has caught up; if the server was emptied on purpose, start this client anew without its disk cache"
    )]
    Behind {
        /// In force here.
        own: Position,
        /// The server's.
        theirs: Position,
    },
    /// What came does not fit; a snapshot was asked for.
    #[error("what the server sent does not fit what is in force here: {0}")]
    Unfit(String),
    /// The state of another environment came.
    #[error("the server sent the environment {theirs}, this client is for {own}; check the key and the environment")]
    OtherEnvironment {
        /// This client's.
        own: EnvironmentKey,
        /// The server's.
        theirs: EnvironmentKey,
    },
}

/// The disk cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheStatus {
    /// No directory was given.
    Off,
    /// There was nothing to start from, and nothing has been written yet.
    Empty,
    /// It was there at the start.
    Loaded {
        /// When it had been written.
        written: Timestamp,
    },
    /// It was there and could not be used.
    Ignored {
        /// Why.
        why: String,
    },
    /// It holds what is in force.
    Written {
        /// When it was written.
        at: Timestamp,
    },
    /// It could not be written; a restart would start without it.
    Unwritable {
        /// Why.
        why: String,
    },
}

/// The outcome batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutcomeStatus {
    /// Batches that the server has taken.
    pub batches: u64,
    /// Evaluations and outcomes that were counted and will not reach the server.
    pub dropped: u64,
}

/// A client at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Where it is with the server.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// What is in force; `None` before any data.
    pub position: Option<Position>,
    /// Where that came from.
    pub source: Source,
    /// When anything was heard from the server last.
    pub last_heard: Option<Timestamp>,
    /// When a heartbeat marked fresh was heard last; leases are counted from there.
    pub last_fresh: Option<Timestamp>,
    /// The provisional kills in force here.
    pub provisional_kills: Vec<KillId>,
    /// Why it is not ready.
    pub trouble: Option<Trouble>,
    /// The disk cache.
    pub cache: CacheStatus,
    /// The outcome batches.
    pub outcomes: OutcomeStatus,
    /// Whether an application that waits for the client may go on.
    pub(crate) may_start: bool,
}

impl Status {
    /// Before anything.
    pub(crate) fn at_start(now: Timestamp) -> Self {
        Self {
            state: State::Connecting,
            since: now,
            position: None,
            source: Source::Nothing,
            last_heard: None,
            last_fresh: None,
            provisional_kills: Vec::new(),
            trouble: None,
            cache: CacheStatus::Off,
            outcomes: OutcomeStatus::default(),
            may_start: false,
        }
    }

    /// Of a client without a server.
    pub(crate) fn offline() -> Self {
        Self {
            state: State::Ready,
            source: Source::Offline,
            may_start: true,
            ..Self::at_start(Timestamp::now())
        }
    }

    /// Whether the server's own state is in force.
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// How old the disk cache's copy is, where there is one.
    pub fn cache_age(&self) -> Option<Duration> {
        match self.cache {
            CacheStatus::Loaded { written: at } | CacheStatus::Written { at } => Duration::try_from(Timestamp::now().duration_since(at)).ok(),
            CacheStatus::Off | CacheStatus::Empty | CacheStatus::Ignored { .. } | CacheStatus::Unwritable { .. } => None,
        }
    }
}
