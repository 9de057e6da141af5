//! What an application says about its client, and why a client cannot start.

use std::path::PathBuf;
use std::time::Duration;

use ripcord_proto::{EnvironmentKey, ValidationErrors};

use super::Client;

/// The longest time between heartbeats that the protocol allows a server is well under this.
const SILENCE: Duration = Duration::from_secs(45);
/// The client's own sign of life.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The whole state is compared about this often beside the stream.
const RECONCILE: Duration = Duration::from_mins(1);
/// Outcomes are sent this often.
const OUTCOMES: Duration = Duration::from_secs(10);

/// What a client answers before it has heard from the server, and when [`Client::ready`] lets an application go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartPolicy {
    /// The disk cache's state answers at once. An application that waits goes on when the server's state is in force, or when
    /// the server could not be reached and there is a cached one.
    #[default]
    LastKnown,
    /// The caller's own defaults answer until the server's state is in force. An application that waits goes on when the first
    /// try to reach the server has ended, well or not.
    CallersDefaults,
    /// The caller's own defaults answer until the server's state is in force, and an application that waits goes on only then.
    NotReady,
}

/// How the client hears of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// A WebSocket: changes come at once and are confirmed on it.
    #[default]
    WebSocket,
    /// Server-sent events, where a proxy lets no WebSocket through: changes come at once, confirmations are requests of their own.
    Sse,
    /// Asking again and again, where no long connection lasts. Such a client confirms nothing.
    Poll {
        /// How long it waits between two polls.
        every: Duration,
    },
}

/// Whether evaluations and outcomes are counted and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// Not at all.
    Off,
    /// Sent in batches, this often.
    Every(Duration),
}

impl Default for Counting {
    fn default() -> Self {
        Self::Every(OUTCOMES)
    }
}

/// Why a client cannot start. A server that is away is no reason: the client starts and goes on trying.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be used.
    #[error("{address:?} is no address of a server: {why}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// The key holds characters that no key has.
    #[error("the key holds characters that no key has; it looks like rc_sdk_…")]
    Key,
    /// The environment's name is malformed.
    #[error("the environment: {0}")]
    Environment(#[source] ValidationErrors),
    /// A root certificate cannot be read.
    #[error("a root certificate cannot be read: {0}")]
    Certificate(String),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// The background thread cannot be started.
    #[error("the client's thread cannot be started: {0}")]
    Thread(#[source] std::io::Error),
}

/// Settings of a client. Each has a default that fits a server next door.
#[derive(Clone)]
#[must_use = "a builder does nothing until it is started"]
pub struct Builder {
    pub(super) address: String,
    pub(super) key: String,
    pub(super) environment: Option<String>,
    pub(super) instance: Option<String>,
    pub(super) cache_dir: Option<PathBuf>,
    pub(super) start_policy: StartPolicy,
    pub(super) transport: Transport,
    pub(super) counting: Counting,
    pub(super) silence: Duration,
    pub(super) heartbeat: Duration,
    pub(super) reconcile: Duration,
    pub(super) root_certificates: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("address", &self.address)
            .field("environment", &self.environment)
            .field("instance", &self.instance)
            .field("cache_dir", &self.cache_dir)
            .field("start_policy", &self.start_policy)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(super) fn new(address: &str, key: &str) -> Self {
        Self {
            address: address.to_owned(),
            key: key.to_owned(),
            environment: None,
            instance: None,
            cache_dir: None,
            start_policy: StartPolicy::default(),
            transport: Transport::default(),
            counting: Counting::default(),
            silence: SILENCE,
            heartbeat: HEARTBEAT,
            reconcile: RECONCILE,
            root_certificates: Vec::new(),
        }
    }

    /// Which environment, for a key of several. Unless told, the key's only one.
    pub fn environment(mut self, environment: &str) -> Self {
        self.environment = Some(environment.to_owned());
        self
    }

    /// The instance's name, by which people will know it: `checkout-7f9c`. Unless told, the host's name and the process id.
    pub fn instance(mut self, name: &str) -> Self {
        self.instance = Some(name.to_owned());
        self
    }

    /// Where the last state is kept for the next start; made where it is missing. Unless told, nowhere. Several processes may
    /// share it.
    pub fn cache_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(directory.into());
        self
    }

    /// What answers before the server was heard.
    pub fn start_policy(mut self, policy: StartPolicy) -> Self {
        self.start_policy = policy;
        self
    }

    /// How changes are heard of.
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Whether and how often counts are sent; every 10 seconds unless told.
    pub fn counting(mut self, counting: Counting) -> Self {
        self.counting = counting;
        self
    }

    /// After how long without a sign of life the stream counts as dead; 45 seconds unless told, at least one.
    pub fn silence(mut self, silence: Duration) -> Self {
        self.silence = silence.max(Duration::from_secs(1));
        self
    }

    /// About how often the whole state is compared beside the stream; 60 seconds unless told, at least one.
    pub fn reconcile_every(mut self, period: Duration) -> Self {
        self.reconcile = period.max(Duration::from_secs(1));
        self
    }

    /// One more root that the server's certificate may come from, as PEM, beside those of the machine. May be called again.
    pub fn root_certificate(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.root_certificates.push(pem.as_ref().to_vec());
        self
    }

    /// Starts the client and returns at once. It connects on a thread of its own, so it needs no runtime here and takes nothing
    /// from one that is here; evaluations answer from the first moment on, as the [`StartPolicy`] says.
    pub fn start(self) -> Result<Client, StartError> {
        super::start(&self)
    }

    pub(super) fn environment_key(&self) -> Result<Option<EnvironmentKey>, StartError> {
        let environment = self.environment.as_deref().map(EnvironmentKey::new);
        environment.transpose().map_err(StartError::Environment)
    }
}
