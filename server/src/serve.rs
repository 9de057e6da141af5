//! The composition root: opens every room in order, serves, and closes them in order. Alone in knowing every room.

pub mod config;
mod data_dir;
pub mod entry;
mod first_start;
mod fresh;
pub mod health;
mod peers;
mod procedures;
mod shutdown;
mod stores;
mod tls;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use self::config::Config;
use self::data_dir::{DataDir, DataDirError};
use self::first_start::AdminKey;
use self::health::Health;
use self::stores::Opened;
use crate::access::{Access, RateLimits};
use crate::api;
use crate::clock::{Clock as _, SystemClock};
use crate::commit::CommitError;
use crate::environment::{Environments, Orphans, Rooms};
use crate::flagd;
use crate::fleet::{self, Fleet};
use crate::kill::{self, Kills};
use crate::ofrep::Ofrep;
use crate::outcome::reports::LocalReports;
use crate::outcome::{Outcomes, persistence};
use crate::peer::Peers;
use crate::secret::Secret;
use crate::snapshot::board::Board;
use crate::store::StoreError;
use crate::store::journal::{Journal, JournalError};
use crate::stream::{self, Streams};
use crate::tasks::TaskSet;
use crate::telemetry::{Metrics, TelemetryError};

/// How long clients are asked to wait before they come back to a server that shuts down; they add full jitter.
const COME_BACK: Duration = Duration::from_secs(2);
/// How long streams may take to end, and requests to finish.
const DRAIN: Duration = Duration::from_secs(10);

/// Why the server did not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data folder.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The journal of kills.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the first start makes.
    #[error("the first start could not make what it must: {0}")]
    FirstStart(#[from] CommitError),
    /// The address.
    #[error("cannot listen on {address}: {source}. Is another server running there? Name another address with --listen")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Certificate or key.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// Metrics.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// flagd's protocols.
    #[error("the gRPC listeners could not be started: {0}")]
    Grpc(std::io::Error),
    /// The HTTP server.
    #[error("the HTTP server failed: {0}")]
    Http(std::io::Error),
    /// A room has died.
    #[error("a task that must not end has ended; see the log")]
    TaskEnded,
}

/// A server that is being served.
#[derive(Debug, Clone)]
pub struct Started {
    /// Where it listens.
    pub address: SocketAddr,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// An admin key that was made just now, shown once.
    pub admin_key: Option<Secret>,
    /// The node's name.
    pub node: String,
    /// The data folder.
    pub data_dir: std::path::PathBuf,
    /// What the store says could lose data.
    pub warnings: Vec<String>,
    /// What is served beside HTTP, and where.
    pub grpc: Vec<(&'static str, SocketAddr)>,
}

/// Serves until `stop` fires, having called `started` once requests are answered.
///
/// # Errors
/// A room could not be opened; nothing is served then.
pub async fn run(config: Config, started: impl FnOnce(&Started), stop: CancellationToken) -> Result<(), ServeError> {
    // Before any room looks up a counter.
    let metrics = Metrics::of_process()?;
    let data_dir = DataDir::open(&config.data_dir)?;
    let node = data_dir.node(config.node.as_deref())?;
    let listener = listen(config.listen)?;
    let tls = config.tls.as_ref().map(|(cert, key)| tls::load(cert, key)).transpose()?;
    let opened = stores::open(&config, &data_dir, &node).await?;
    let journal = Journal::open(&data_dir.journal())?;
    let tasks = TaskSet::default();
    tasks.long_lived("folding of metrics", metrics.clone().keep_folded(tasks.stop_token()));
    let board = Arc::new(Board::default());
    let environments = open_environments(&opened, &board, &tasks, &data_dir, &journal).await?;
    let admin = if config.admin_key.is_some() { AdminKey::Given } else { AdminKey::Wanted };
    let admin_key = first_start::prepare_or_wait(&environments, &node, admin).await?;

    let peers = Peers::new(config.peers.clone(), config.peer_secret.clone(), peers::http_client(&config));
    let kills = Kills::start(environments.clone(), journal, peers.clone(), node.clone());
    peers.start(kills.clone(), node.clone(), &tasks);
    let others = Arc::new(peers::OtherNodes::new(peers.clone(), opened.redis.clone()));
    let (fleet, outcomes) = open_fleet(&board, &node, &others);
    persistence::keep(&outcomes, data_dir.outcomes(), Arc::new(SystemClock), &tasks);
    let procedures = procedures::start(&environments, &fleet, &outcomes, &others, &node, &kills);

    let access = Access::new(environments.clone(), config.admin_key.as_ref(), node.clone(), RateLimits::default());
    let fresh = fresh::watch(opened.store.health(), peers.clone(), &tasks);
    let streams = Streams::new(&board, stream_settings(&config), fleet.clone(), Arc::new(access.clone()), fresh);
    shutdown::end_streams_of_revoked_keys(&environments, &streams, &tasks);

    let (ofrep, grpc) = open_protocols(&config, &environments, &access, &fleet, &tasks, &stop).await?;
    let health = Health::new(environments.clone(), &peers, stop.clone(), config.stale_after, node.clone());
    let parts = api::Services {
        environments,
        kills,
        fleet,
        drivers: procedures.drivers,
        pings: procedures.pings,
        checks: procedures.checks,
        rollouts: procedures.rollouts,
        triggers: procedures.triggers,
        peers,
        outcomes,
        metrics,
        node: node.clone(),
    };
    let api = api::Api::new(parts, access);
    let address = listener.local_addr().map_err(ServeError::Http)?;
    let server = entry::start(vec![listener], &entry_settings(&config, tls.clone()), &streams, move |worker| {
        ofrep.before(api.app(&worker).configure(|config| health.routes(config)))
    })
    .map_err(ServeError::Http)?;
    started(&Started {
        address,
        scheme: if tls.is_some() { "https" } else { "http" },
        admin_key,
        node,
        data_dir: data_dir.path().to_owned(),
        warnings: opened.store.health().borrow().warnings.clone(),
        grpc,
    });
    shutdown::serve_until(stop, server, &streams, &tasks, &opened).await
}

/// What applications tell this node, and through it the others.
fn open_fleet(board: &Arc<Board>, node: &str, others: &Arc<peers::OtherNodes>) -> (Fleet, Outcomes) {
    let fleet = Fleet::new(
        board,
        fleet::FleetSettings::new(node.to_owned()),
        Arc::clone(others) as Arc<dyn fleet::PeerConfirmations>,
    );
    let outcomes = Outcomes::new(SystemClock.now());
    others.answer_from(fleet.clone(), outcomes.clone(), LocalReports::new(outcomes.clone(), &others.own_id()));
    (fleet, outcomes)
}

/// OpenFeature's protocols, and where those of gRPC listen.
async fn open_protocols(
    config: &Config,
    environments: &Environments,
    access: &Access,
    fleet: &Fleet,
    tasks: &TaskSet,
    stop: &CancellationToken,
) -> Result<(Ofrep, Vec<(&'static str, SocketAddr)>), ServeError> {
    let ofrep = Ofrep::new(environments, access.clone(), fleet.clone(), stop.clone());
    let grpc = flagd::start(&config.flagd, environments, access.clone(), fleet.clone(), tasks, stop.clone()).await;
    Ok((ofrep, grpc.map_err(ServeError::Grpc)?))
}

/// Loads what the store holds and starts every environment, with the journal's kills lying over it.
async fn open_environments(opened: &Opened, board: &Arc<Board>, tasks: &TaskSet, data_dir: &DataDir, journal: &Journal) -> Result<Environments, StoreError> {
    let rooms = Rooms {
        store: Arc::clone(&opened.store),
        board: Arc::clone(board),
        clock: Arc::new(SystemClock),
        tasks: tasks.clone(),
        orphans: Orphans::kept_in(data_dir.orphans()),
    };
    let journal = journal.clone();
    Environments::start(rooms, Arc::new(move |key| kill::overlay_from(&journal, key))).await
}

fn entry_settings(config: &Config, tls: Option<Arc<rustls::ServerConfig>>) -> entry::Settings {
    entry::Settings {
        workers: config.workers,
        tls,
        shutdown: DRAIN,
        ..entry::Settings::default()
    }
}

fn stream_settings(config: &Config) -> stream::StreamSettings {
    stream::StreamSettings {
        workers: config.workers,
        heartbeat: config.heartbeat,
        ..stream::StreamSettings::default()
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let refuse = |source| ServeError::Listen { address, source };
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).map_err(refuse)?;
    // A restart must not wait for connections of the process before it to be forgotten.
    socket.set_reuse_address(true).map_err(refuse)?;
    socket.bind(&address.into()).map_err(refuse)?;
    // A storm of reconnecting clients fits into the queue of those who wait to be accepted.
    socket.listen(16_384).map_err(refuse)?;
    Ok(socket.into())
}
