//! The settings of a client.

use std::path::PathBuf;
use std::time::Duration;

use ripcord_proto::EnvironmentKey;

use super::observer::{EvaluationEvent, Observer};
use super::start_error::StartError;

/// The server used if `RIPCORD_SERVER` is not set.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8016";
/// Well above the longest time between heartbeats that the protocol allows a server.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(45);
/// How often the client sends a heartbeat.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// About how often the whole state is compared beside the stream.
const RECONCILE: Duration = Duration::from_secs(60);
/// How often counts are sent.
const REPORTING: Duration = Duration::from_secs(10);

/// What is evaluated before the server has answered, and when [`Client::ready`](crate::Client::ready) returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StartPolicy {
    /// Evaluate the state in the disk cache at once. `ready` returns when the server's state is loaded, or when the server could not
    /// be reached and there is a cached state.
    #[default]
    LastKnown,
    /// Return the caller's defaults until the server's state is loaded. `ready` returns when the first attempt to reach the server has
    /// ended, whether it succeeded or not.
    CallersDefaults,
    /// Return the caller's defaults until the server's state is loaded. `ready` returns only then.
    NotReady,
}

/// How the client receives changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Transport {
    /// A WebSocket. Changes arrive at once and are confirmed on the same connection.
    #[default]
    WebSocket,
    /// Server-sent events, for networks whose proxies block WebSockets. Changes arrive at once; each confirmation is a request.
    Sse,
    /// Repeated requests, for networks that cut long connections. A polling client confirms nothing.
    Poll {
        /// The time between two requests.
        every: Duration,
    },
}

/// Whether evaluations and outcomes are counted and sent to the server. Rollouts and the list of stale flags depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reporting {
    /// Nothing is counted.
    Off,
    /// Counts are sent in batches, this often.
    Every(Duration),
}

impl Default for Reporting {
    fn default() -> Self {
        Self::Every(REPORTING)
    }
}

/// The settings of a client. All of them have defaults except address and key.
#[derive(Clone)]
#[must_use = "a client runs only after `start`"]
pub struct ClientBuilder {
    pub(super) address: String,
    pub(super) key: String,
    pub(super) environment: Option<String>,
    pub(super) instance: Option<String>,
    pub(super) cache_dir: Option<PathBuf>,
    pub(super) start_policy: StartPolicy,
    pub(super) transport: Transport,
    pub(super) reporting: Reporting,
    pub(super) observer: Option<Observer>,
    pub(super) silence_timeout: Duration,
    pub(super) heartbeat: Duration,
    pub(super) reconcile: Duration,
    pub(super) root_certificates: Vec<Vec<u8>>,
}

/// Without the key.
impl std::fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("address", &self.address)
            .field("environment", &self.environment)
            .field("instance", &self.instance)
            .field("cache_dir", &self.cache_dir)
            .field("start_policy", &self.start_policy)
            .field("transport", &self.transport)
            .field("reporting", &self.reporting)
            .finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Settings for the server at `address` (for example `http://127.0.0.1:8016`), with an `rc_sdk_…` key.
    pub fn new(address: &str, key: &str) -> Self {
        Self {
            address: address.to_owned(),
            key: key.to_owned(),
            environment: None,
            instance: None,
            cache_dir: None,
            start_policy: StartPolicy::default(),
            transport: Transport::default(),
            reporting: Reporting::default(),
            observer: None,
            silence_timeout: SILENCE_TIMEOUT,
            heartbeat: HEARTBEAT,
            reconcile: RECONCILE,
            root_certificates: Vec::new(),
        }
    }

    /// The settings in the environment variables. An empty variable counts as not set.
    ///
    /// | variable | setting | if not set |
    /// | --- | --- | --- |
    /// | `RIPCORD_SERVER` | the server's address; of several, separated by commas, the first | `http://127.0.0.1:8016` |
    /// | `RIPCORD_KEY` | the key | an error |
    /// | `RIPCORD_ENV` | [`environment`](Self::environment) | the key's only environment |
    /// | `RIPCORD_INSTANCE` | [`instance`](Self::instance) | host name and process id |
    /// | `RIPCORD_CACHE_DIR` | [`cache_dir`](Self::cache_dir) | no disk cache |
    ///
    /// # Errors
    ///
    /// [`StartError::MissingKey`] if `RIPCORD_KEY` is not set.
    pub fn from_env() -> Result<Self, StartError> {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, StartError> {
        let set = |name: &str| var(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let servers = set("RIPCORD_SERVER").unwrap_or_else(|| DEFAULT_SERVER.to_owned());
        let server = servers.split(',').map(str::trim).find(|server| !server.is_empty()).unwrap_or(DEFAULT_SERVER);
        let mut builder = Self::new(server, &set("RIPCORD_KEY").ok_or(StartError::MissingKey)?);
        builder.environment = set("RIPCORD_ENV");
        builder.instance = set("RIPCORD_INSTANCE");
        builder.cache_dir = set("RIPCORD_CACHE_DIR").map(PathBuf::from);
        Ok(builder)
    }

    /// The environment, if the key is for several. Defaults to the key's only one.
    pub fn environment(mut self, environment: &str) -> Self {
        self.environment = Some(environment.to_owned());
        self
    }

    /// The name of this instance in `ripcord apps` and in confirmations, for example `checkout-7f9c`. Defaults to the host name and the
    /// process id.
    pub fn instance(mut self, name: &str) -> Self {
        self.instance = Some(name.to_owned());
        self
    }

    /// The directory of the disk cache, which keeps the last state for the next start. It is created if it does not exist, and several
    /// processes may share it. Defaults to no cache.
    pub fn cache_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(directory.into());
        self
    }

    /// What is evaluated before the server has answered. Defaults to [`StartPolicy::LastKnown`].
    pub fn start_policy(mut self, policy: StartPolicy) -> Self {
        self.start_policy = policy;
        self
    }

    /// How the client receives changes. Defaults to [`Transport::WebSocket`].
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Whether and how often counts are sent. Defaults to every 10 seconds.
    pub fn reporting(mut self, reporting: Reporting) -> Self {
        self.reporting = reporting;
        self
    }

    /// Calls `hook` after each evaluation, on the thread that evaluates, so it must be quick. A panic in it is caught and logged. Without
    /// a hook an evaluation pays nothing for it. A second hook replaces the first.
    pub fn on_evaluation(mut self, hook: impl Fn(&EvaluationEvent<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Observer::new(hook));
        self
    }

    /// The connection counts as lost if nothing arrives for this long. Defaults to 45 seconds; at least one second.
    pub fn silence_timeout(mut self, timeout: Duration) -> Self {
        self.silence_timeout = timeout.max(Duration::from_secs(1));
        self
    }

    /// About how often the client compares its whole state with the server's, beside the stream. Defaults to 60 seconds; at least one
    /// second.
    pub fn reconcile_every(mut self, period: Duration) -> Self {
        self.reconcile = period.max(Duration::from_secs(1));
        self
    }

    /// Trusts a root certificate, as PEM, in addition to those of this machine. May be called more than once.
    pub fn root_certificate(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.root_certificates.push(pem.as_ref().to_vec());
        self
    }

    pub(super) fn environment_key(&self) -> Result<Option<EnvironmentKey>, StartError> {
        let environment = self.environment.as_deref().map(EnvironmentKey::new);
        environment.transpose().map_err(StartError::Environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder(vars: &[(&str, &str)]) -> Result<ClientBuilder, StartError> {
        ClientBuilder::from_vars(|name| vars.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let builder = builder(&[
            ("RIPCORD_KEY", "rc_sdk_x"),
            ("RIPCORD_SERVER", ""),
            ("RIPCORD_ENV", " "),
            ("RIPCORD_CACHE_DIR", ""),
        ])
        .unwrap();
        assert_eq!((builder.address.as_str(), builder.key.as_str()), (DEFAULT_SERVER, "rc_sdk_x"));
        assert_eq!((builder.environment, builder.cache_dir), (None, None));
    }

    #[test]
    fn every_variable_is_a_setting() {
        let builder = builder(&[
            ("RIPCORD_KEY", "rc_sdk_x"),
            ("RIPCORD_SERVER", "https://a.example, https://b.example"),
            ("RIPCORD_ENV", "staging"),
            ("RIPCORD_INSTANCE", "checkout-1"),
            ("RIPCORD_CACHE_DIR", "/var/cache"),
        ])
        .unwrap();
        assert_eq!(builder.address, "https://a.example");
        assert_eq!(
            (builder.environment.as_deref(), builder.instance.as_deref()),
            (Some("staging"), Some("checkout-1"))
        );
        assert_eq!(builder.cache_dir, Some(PathBuf::from("/var/cache")));
    }

    #[test]
    fn a_missing_key_is_an_error_that_says_how_to_get_one() {
        let error = builder(&[("RIPCORD_KEY", "")]).unwrap_err();
        assert!(error.to_string().contains("RIPCORD_KEY"), "{error}");
    }
}
