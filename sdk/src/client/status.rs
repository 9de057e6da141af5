//! The status of a client.

use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::{EnvironmentKey, KillId, Position};

/// The connection to the server. Evaluations never wait for it: they answer from the current state.
///
/// | from | when | to |
/// | --- | --- | --- |
/// | `Connecting` | the server's state is loaded | `Ready` |
/// | `Connecting` | the first attempt failed and the disk cache's state is loaded | `Stale` |
/// | `Ready` | the stream ended, went silent, or its node is behind | `Stale` |
/// | `Ready`, `Stale` | an update does not fit the current state (a gap, a different content hash) | `Resyncing` |
/// | `Resyncing` | a state that fits is loaded | `Ready` |
/// | `Resyncing` | the server's states repeatedly did not match their own hashes | `Stale`, with later attempts |
/// | `Stale` | the server's state is loaded again | `Ready` |
/// | any but `Closed` | the server refuses the key | `Unauthorised` |
/// | `Unauthorised` | the key is accepted and the server's state is loaded | `Ready` |
/// | any | [`close`](crate::Client::close), or the last clone was dropped | `Closed` |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// The server has not answered in this process yet.
    Connecting,
    /// The server's state is loaded.
    Ready,
    /// The last known state is loaded; the server may have a newer one.
    Stale,
    /// The last good state is loaded; the client has asked for a snapshot.
    Resyncing,
    /// The server refuses the key: it is wrong, revoked or not for this environment. The last known state, if there is one, continues to
    /// answer. The client retries about once a minute.
    Unauthorised,
    /// The client has ended. Evaluations continue to answer from the last state.
    Closed,
}

impl State {
    /// The name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Ready => "ready",
            Self::Stale => "stale",
            Self::Resyncing => "resyncing",
            Self::Unauthorised => "unauthorised",
            Self::Closed => "closed",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the current state came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// There is no state: callers get their own defaults.
    Nothing,
    /// The disk cache of an earlier process.
    Cache,
    /// The server.
    Server,
    /// A snapshot, a flags file or a test, see [`Client::offline`](crate::Client::offline).
    Offline,
}

/// Why the client is not ready.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// There is no connection, or it broke. The client retries with backoff.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// The server refused the key or the environment. The client retries about once a minute.
    #[error("the server refused this client ({status}): {detail}; check the key and its environments")]
    Refused {
        /// The HTTP status: 401, 403 or 404.
        status: u16,
        /// The server's explanation.
        detail: String,
    },
    /// Nothing arrived for longer than the [silence timeout](crate::ClientBuilder::silence_timeout).
    #[error("the server has been silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// The server closed the stream and said why.
    #[error("the server closed the stream: {0}")]
    Goodbye(String),
    /// The server has an older state than this client, which therefore keeps its own.
    #[error(
        "the server is at {server}, behind {own}, which this client keeps until the server has caught up; if the server was emptied on purpose, restart this client without its disk cache"
    )]
    Behind {
        /// The position of this client.
        own: Position,
        /// The position of the server.
        server: Position,
    },
    /// An update does not fit the current state. The client has asked for a snapshot.
    #[error("an update from the server does not fit the current state: {0}")]
    Inconsistent(String),
    /// The server sent the state of a different environment.
    #[error("the server sent the environment {received}, but this client is for {expected}; check the key and the environment")]
    OtherEnvironment {
        /// The environment of this client.
        expected: EnvironmentKey,
        /// The environment that the server sent.
        received: EnvironmentKey,
    },
}

/// The disk cache.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheStatus {
    /// No directory is configured.
    Off,
    /// There was no file at the start, and none has been written yet.
    Empty,
    /// A file was loaded at the start.
    Loaded {
        /// When it was written.
        written: Timestamp,
    },
    /// There was a file at the start, but it could not be used.
    Ignored {
        /// Why it could not be used.
        why: String,
    },
    /// The file holds the current state.
    Written {
        /// When it was written.
        at: Timestamp,
    },
    /// The file could not be written. A restart without the server would have no state.
    Unwritable {
        /// Why it could not be written.
        why: String,
    },
}

/// The reporting of evaluations and outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct OutcomeStatus {
    /// Batches that the server has accepted.
    pub batches: u64,
    /// Evaluations and outcomes that were counted but will not reach the server.
    pub dropped: u64,
}

/// The status of a client at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The connection to the server.
    pub state: State,
    /// When `state` last changed.
    pub since: Timestamp,
    /// The position of the current state; `None` before there is any data.
    pub position: Option<Position>,
    /// Where the current state came from.
    pub source: Source,
    /// When the last message of any kind arrived from the server.
    pub last_heard: Option<Timestamp>,
    /// When the last heartbeat marked fresh arrived. Leases are counted from then.
    pub last_fresh: Option<Timestamp>,
    /// The provisional kills in force in this client.
    pub provisional_kills: Vec<KillId>,
    /// Why the client is not ready.
    pub error: Option<ConnectionError>,
    /// The disk cache.
    pub cache: CacheStatus,
    /// The reporting of evaluations and outcomes.
    pub outcomes: OutcomeStatus,
    /// Whether those who wait for the client may continue.
    pub(crate) may_start: bool,
}

impl Status {
    pub(crate) fn at_start(now: Timestamp) -> Self {
        Self {
            state: State::Connecting,
            since: now,
            position: None,
            source: Source::Nothing,
            last_heard: None,
            last_fresh: None,
            provisional_kills: Vec::new(),
            error: None,
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

    /// Whether the server's state is loaded.
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// The age of the state in the disk cache, if there is one.
    pub fn cache_age(&self) -> Option<Duration> {
        match self.cache {
            CacheStatus::Loaded { written: at } | CacheStatus::Written { at } => Duration::try_from(Timestamp::now().duration_since(at)).ok(),
            CacheStatus::Off | CacheStatus::Empty | CacheStatus::Ignored { .. } | CacheStatus::Unwritable { .. } => None,
        }
    }
}
