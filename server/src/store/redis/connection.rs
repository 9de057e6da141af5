//! The connection for commands, and the ways in which a command can fail.
//!
//! There is one at a time; [`health_watch`](super::health_watch) opens it, watches it, and declares it lost. Every caller that waits
//! for an answer then gets an error at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, RedisError, ServerErrorKind};
use tokio_util::sync::CancellationToken;

use super::fault::StoreFault;

/// How long opening a connection may take, including its handshake.
const CONNECT: Duration = Duration::from_secs(1);
/// How long a command may take; the health watch notices a silent server much sooner.
const ANSWER: Duration = Duration::from_secs(10);

/// How long a refused write counts if no other write is tried.
const REFUSAL_COUNTS: Duration = Duration::from_secs(10);

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// It was not sent: there is no connection.
    #[error("{0}")]
    NotSent(String),
    #[error("{0}")]
    Refused(RedisError),
    /// It was sent, and the connection was lost before the answer came.
    #[error("no answer came: {0}")]
    NoAnswer(String),
}

/// The connection in use.
pub(super) struct RedisConnection {
    connection: MultiplexedConnection,
    lost: CancellationToken,
}

impl std::fmt::Debug for RedisConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisConnection")
            .field("lost", &self.lost.is_cancelled())
            .finish_non_exhaustive()
    }
}

impl RedisConnection {
    pub(super) fn new(connection: MultiplexedConnection) -> Self {
        Self {
            connection,
            lost: CancellationToken::new(),
        }
    }

    /// Declares it lost: every waiting call ends.
    pub(super) fn lose(&self) {
        self.lost.cancel();
    }

    /// Returns when it is lost.
    pub(super) async fn is_lost(&self) {
        self.lost.cancelled().await;
    }

    async fn until_lost<T>(&self, call: impl Future<Output = Result<T, RedisError>>) -> Result<T, CallError> {
        let answer = tokio::select! {
            biased;
            answer = call => answer,
            () = self.lost.cancelled() => return Err(CallError::NoAnswer("the connection was lost".to_owned())),
        };
        answer.map_err(|error| {
            if error.code().is_some() {
                return CallError::Refused(error);
            }
            self.lose();
            CallError::NoAnswer(error.to_string())
        })
    }

    /// Sends a command and waits for its answer.
    pub(super) async fn call<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, CallError> {
        let mut connection = self.connection.clone();
        self.until_lost(command.query_async(&mut connection)).await
    }

    /// Sends commands in one go and waits for their answers.
    pub(super) async fn call_all<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, CallError> {
        let mut connection = self.connection.clone();
        self.until_lost(commands.query_async(&mut connection)).await
    }

    /// Runs a script by its digest; loads it first if the server does not know it.
    pub(super) async fn run<T: FromRedisValue>(&self, script: &Script, arguments: &Cmd) -> Result<T, CallError> {
        match self.call(arguments).await {
            Err(CallError::Refused(error)) if error.kind() == ServerErrorKind::NoScript.into() => {
                let mut load = redis::cmd("SCRIPT");
                load.arg("LOAD").arg(script.text);
                let _: String = self.call(&load).await?;
                self.call(arguments).await
            }
            answer => answer,
        }
    }
}

/// A script and its digest.
#[derive(Debug, Clone)]
pub(super) struct Script {
    text: &'static str,
    digest: String,
}

impl Script {
    pub(super) fn new(text: &'static str) -> Self {
        Self {
            text,
            digest: redis::Script::new(text).get_hash().to_owned(),
        }
    }

    /// The command that runs it over `keys`, without its arguments.
    pub(super) fn over(&self, keys: &[&str]) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.digest).arg(keys.len()).arg(keys);
        command
    }
}

/// Opens connections to the server, and holds the one in use.
pub(super) struct RedisConnector {
    client: Client,
    live: ArcSwapOption<RedisConnection>,
    /// Why there is no connection, for those who need one.
    why: Mutex<String>,
    /// The last refusal to write, and when it came.
    refusal: Mutex<Option<(StoreFault, Instant)>>,
}

impl std::fmt::Debug for RedisConnector {
    // The client contains the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisConnector").field("live", &self.live).finish_non_exhaustive()
    }
}

impl RedisConnector {
    pub(super) fn new(url: &str) -> Result<Self, RedisError> {
        Ok(Self {
            client: Client::open(url)?,
            live: ArcSwapOption::empty(),
            why: Mutex::new("not connected to Redis yet".to_owned()),
            refusal: Mutex::default(),
        })
    }

    /// The connection in use.
    pub(super) fn connection(&self) -> Result<Arc<RedisConnection>, CallError> {
        self.live.load_full().ok_or_else(|| CallError::NotSent(self.why.lock().clone()))
    }

    /// Notes why there is no connection.
    pub(super) fn explain(&self, why: &str) {
        if !why.is_empty() {
            why.clone_into(&mut self.why.lock());
        }
    }

    /// Notes whether the store took a write; returns what is said of a refusal.
    pub(super) fn note_write(&self, outcome: Result<(), &RedisError>) -> Option<StoreFault> {
        let fault = outcome.err().map(StoreFault::of);
        *self.refusal.lock() = fault.clone().map(|fault| (fault, Instant::now()));
        fault
    }

    /// The refusal of the last write, unless it was long ago.
    pub(super) fn refusal(&self) -> Option<StoreFault> {
        let refusal = self.refusal.lock();
        let (fault, at) = refusal.as_ref()?;
        (at.elapsed() < REFUSAL_COUNTS).then(|| fault.clone())
    }

    /// Replaces the connection in use; `None` leaves none.
    pub(super) fn put(&self, live: Option<Arc<RedisConnection>>) {
        if let Some(before) = self.live.swap(live) {
            before.lose();
        }
    }

    /// Opens a connection for commands.
    pub(super) async fn connect(&self) -> Result<RedisConnection, RedisError> {
        Ok(RedisConnection::new(self.open(Some(ANSWER)).await?))
    }

    /// Opens a connection for commands that block.
    pub(super) async fn connect_patient(&self) -> Result<MultiplexedConnection, RedisError> {
        self.open(None).await
    }

    /// Opens a connection that subscribes to channels.
    pub(super) async fn connect_listening(&self) -> Result<redis::aio::PubSub, RedisError> {
        let timed = tokio::time::timeout(CONNECT, self.client.get_async_pubsub()).await;
        timed.unwrap_or_else(|_| Err(RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))))
    }

    async fn open(&self, answer: Option<Duration>) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(answer);
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }
}
