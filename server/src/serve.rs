//! The composition root: opens every room in order, serves, and closes them in order. The only room that knows all others.

mod background;
mod bootstrap;
pub mod config;
mod data_dir;
mod error;
mod freshness;
pub mod health;
pub mod http_server;
#[cfg(test)]
mod limits_page;
mod listener;
mod metrics_listener;
mod open_files;
mod peers;
mod shutdown;
#[cfg(test)]
mod simulation;
mod stores;
pub mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use ripcord_proto::rest::health::Readiness;
use tokio_util::sync::CancellationToken;

use self::bootstrap::AdminKey;
use self::config::ServeConfig;
use self::data_dir::DataDir;
pub use self::error::ServeError;
use self::freshness::Freshness;
use self::health::Health;
use self::http_server::HttpServerSettings;
use self::open_files::ConnectionBudget;
use self::stores::OpenedStore;
use crate::access::{Access, RateLimits};
use crate::api;
use crate::clock::{Clock as _, SystemClock};
use crate::environment::{EnvironmentDeps, Environments, Orphans};
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
use crate::store::journal::Journal;
use crate::stream::{self, Streams};
use crate::tasks::TaskSet;
use crate::telemetry::Metrics;

/// What a server tells when it is ready for requests.
#[derive(Debug, Clone)]
pub struct Started {
    pub address: SocketAddr,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The admin key that this start created; it is shown once.
    pub admin_key: Option<Secret>,
    /// The node's name.
    pub node: String,
    pub data_dir: std::path::PathBuf,
    /// Whether it is ready, why not, and settings of the store that can lose data.
    pub readiness: Readiness,
    /// The gRPC protocols and their addresses.
    pub grpc: Vec<(&'static str, SocketAddr)>,
}

/// Serves until `stop` fires. Calls `started` once requests are answered.
///
/// # Errors
/// If a room cannot be opened, in which case nothing was served; or if the server failed while it ran.
#[expect(clippy::too_many_lines, reason = "the order of a start, from top to bottom")]
pub async fn run(config: ServeConfig, started: impl FnOnce(&Started), stop: CancellationToken) -> Result<(), ServeError> {
    // First, because a counter that is looked up before this counts nothing.
    let metrics = Metrics::of_process()?;
    let data_dir = DataDir::open(&config.data_dir)?;
    let node = data_dir.node(config.node.as_deref())?;
    let listener = listener::bind(config.listen)?;
    let certificate = config.tls.as_ref().map(|(cert, key)| tls::Certificate::load(cert, key)).transpose()?;
    let tls = certificate.as_ref().map(tls::Certificate::config).transpose()?;
    let journal = Journal::open(&data_dir.journal())?;
    let opened = stores::open(&config, &data_dir, &node, &journal).await?;
    let tasks = TaskSet::default();
    tasks.long_lived("metrics-rollup", metrics.clone().run_upkeep(tasks.stop_token()));
    if let Some(certificate) = certificate {
        tasks.long_lived("certificate", certificate.follow(config.reload.clone(), tasks.stop_token()));
    }
    let board = Arc::new(Board::default());
    let environments = open_environments(&opened, &board, &tasks, &data_dir, &journal).await?;
    let admin = if config.admin_key.is_some() { AdminKey::Given } else { AdminKey::Wanted };
    let admin_key = bootstrap::prepare_or_wait(&environments, &node, admin).await?;

    let peers = Peers::new(config.peers.clone(), config.peer_secret.clone(), peers::http_client(&config));
    let kills = Kills::start(environments.clone(), journal, peers.clone(), node.clone());
    // Before anything is served: a peer may know kills that this node missed while it was away.
    kills.ask_peers().await;
    kills.keep_peers_told();
    let others = Arc::new(peers::OtherNodes::new(peers.clone(), opened.redis.clone()));
    let (fleet, outcomes) = open_fleet(&board, &node, &others);
    persistence::keep(&outcomes, data_dir.outcomes(), Arc::new(SystemClock), &tasks);
    let background = background::start(&environments, &fleet, &outcomes, &others, &node, &kills, &config.outbound);

    let access = Access::new(environments.clone(), config.admin_key.as_ref(), node.clone(), RateLimits::default());
    let fresh = Freshness::new(environments.clone(), peers.clone()).watch();
    let http = http_settings(&config, tls.clone(), &stop);
    let streams = Streams::new(
        &board,
        stream_settings(&config, &http.connections),
        fleet.clone(),
        Arc::new(access.clone()),
        fresh,
    );
    shutdown::end_streams_of_revoked_keys(&environments, &streams, &tasks);

    let (ofrep, grpc) = open_protocols(&config, tls.clone(), &environments, &access, &fleet, &tasks, &stop).await?;
    let health = Health::new(environments.clone(), &peers, stop.clone(), config.stale_after, node.clone());
    let readiness = health.clone();
    let parts = api::Services {
        environments,
        kills,
        fleet,
        pings: background.pings,
        checks: background.checks,
        rollouts: background.rollouts,
        triggers: background.triggers,
        peers,
        outcomes,
        metrics,
        node: node.clone(),
    };
    let api = api::Api::new(parts, access).with_metrics(metrics_access(&config));
    metrics_listener::start(config.metrics_listen, &api, &tasks)?;
    let address = listener.local_addr().map_err(ServeError::Http)?;
    let server = http_server::start(vec![listener], &http, &streams, move |worker| {
        ofrep.before(api.app(&worker).configure(|config| health.routes(config)))
    })
    .map_err(ServeError::Http)?;
    started(&Started {
        address,
        scheme: if tls.is_some() { "https" } else { "http" },
        admin_key,
        node,
        data_dir: data_dir.path().to_owned(),
        readiness: readiness.readiness(),
        grpc,
    });
    shutdown::serve_until(stop, server, &streams, &tasks, &opened).await
}

/// Confirmations and outcomes that applications report, on this node and on the others.
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

/// OpenFeature's protocols, and the addresses of the gRPC ones.
async fn open_protocols(
    config: &ServeConfig,
    tls: Option<Arc<rustls::ServerConfig>>,
    environments: &Environments,
    access: &Access,
    fleet: &Fleet,
    tasks: &TaskSet,
    stop: &CancellationToken,
) -> Result<(Ofrep, Vec<(&'static str, SocketAddr)>), ServeError> {
    let ofrep = Ofrep::new(environments, access.clone(), fleet.clone(), config.public_url.clone(), stop.clone());
    let grpc = flagd::start(&config.flagd, tls, environments, access.clone(), fleet.clone(), tasks, stop.clone()).await;
    Ok((ofrep, grpc.map_err(ServeError::Grpc)?))
}

/// Loads every environment from the store and starts it, with the journal's kills in its overlay.
async fn open_environments(
    opened: &OpenedStore,
    board: &Arc<Board>,
    tasks: &TaskSet,
    data_dir: &DataDir,
    journal: &Journal,
) -> Result<Environments, StoreError> {
    let rooms = EnvironmentDeps {
        store: Arc::clone(&opened.store),
        board: Arc::clone(board),
        clock: Arc::new(SystemClock),
        tasks: tasks.clone(),
        orphans: Orphans::kept_in(data_dir.orphans()),
        revoked: journal.revoked(),
    };
    let journal = journal.clone();
    Environments::start(rooms, Arc::new(move |key| kill::overlay_from(&journal, key))).await
}

fn http_settings(config: &ServeConfig, tls: Option<Arc<rustls::ServerConfig>>, stop: &CancellationToken) -> HttpServerSettings {
    HttpServerSettings {
        workers: config.workers,
        tls,
        shutdown: shutdown::DRAIN,
        stop: stop.clone(),
        ..HttpServerSettings::default()
    }
}

fn stream_settings(config: &ServeConfig, connections: &ConnectionBudget) -> stream::StreamSettings {
    let limits = stream::StreamSettings::default();
    stream::StreamSettings {
        workers: config.workers,
        heartbeat: config.heartbeat,
        // Streams stay; a quarter of the places is left for requests.
        connections: limits.connections.min(connections.ordinary() / 4 * 3),
        ..limits
    }
}

/// Who may read the metrics on the listener of everything else.
fn metrics_access(config: &ServeConfig) -> api::MetricsAccess {
    match config.metrics_listen {
        Some(_) => api::MetricsAccess::Elsewhere,
        None if config.listen.ip().is_loopback() => api::MetricsAccess::Open,
        None => api::MetricsAccess::WithKey,
    }
}
