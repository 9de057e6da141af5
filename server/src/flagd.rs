//! flagd's protocols, for flagd's own clients.
//!
//! ```text
//! flagd.sync.v1.FlagSyncService      sync        the flags, for clients with an engine of their own
//! flagd.evaluation.v1.Service        evaluation  remote evaluation for older clients
//! flagd.evaluation.v2.Service        evaluation  remote evaluation; an answer may have no value
//! ```
//!
//! Each is served by gRPC, gRPC-Web and Connect: some clients speak Connect alone.
//! Sync and evaluation have a listener each. If a port is taken, that listener is skipped with a warning, since HTTP works without it.
//! Everything is read from the board. A change, a kill or a rollback reaches a sync client as one payload of one revision.

mod caller;
mod context;
mod cors;
mod environments;
mod error;
mod evaluation;
mod events;
mod export;
mod http;
mod listener;
mod message;
mod method;
mod pace;
mod service;
mod state;
mod sync;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::cors::AllowedOrigins;
use self::environments::WatchedEnvironments;
use self::http::FlagdHttp;
use self::method::FlagdPort;
use self::state::FlagdState;
use crate::access::Access;
use crate::environment::Environments;
use crate::fleet::Fleet;
use crate::secret::Secret;
use crate::tasks::TaskSet;

/// Settings, checked.
#[derive(Debug, Clone)]
pub struct FlagdConfig {
    /// Address of the sync service.
    pub sync: SocketAddr,
    /// Address of the evaluation service.
    pub evaluation: SocketAddr,
    /// The key for clients that cannot send one.
    pub key: Option<Secret>,
    /// The origins of pages that may call the evaluation service; `*` is any.
    pub origins: Vec<String>,
}

/// Starts both listeners, under `tls` if there is one, and returns those that listen. Streams end when `stop` fires.
///
/// # Errors
/// A listener's address cannot be read, or the descriptions of the services.
pub async fn start(
    config: &FlagdConfig,
    tls: Option<Arc<rustls::ServerConfig>>,
    environments: &Environments,
    access: Access,
    fleet: Fleet,
    tasks: &TaskSet,
    stop: CancellationToken,
) -> std::io::Result<Vec<(&'static str, SocketAddr)>> {
    let watched = Arc::new(WatchedEnvironments::default());
    environments.board().listen(Arc::clone(&watched) as Arc<_>);
    let state = Arc::new(FlagdState {
        access,
        key: config.key.clone(),
        environments: watched,
        system: environments.watch_system(),
        clock: Arc::clone(environments.clock()),
        fleet,
        stop: stop.clone(),
    });
    let closed = Arc::new(AllowedOrigins::default());
    let open = Arc::new(AllowedOrigins::new(config.origins.clone()));
    let mut listening = Vec::new();
    for (name, option, address, port, origins) in [
        ("flagd sync", "--grpc-sync-listen", config.sync, FlagdPort::Sync, closed),
        ("flagd evaluation", "--grpc-eval-listen", config.evaluation, FlagdPort::Evaluation, open),
    ] {
        let Some(listener) = listener::bind(name, option, address).await else {
            continue;
        };
        listening.push((name, listener.local_addr()?));
        let service = FlagdHttp::new(Arc::clone(&state), port, origins).await.map_err(std::io::Error::other)?;
        listener::serve(name, listener, tls.clone(), service, tasks, stop.clone());
    }
    Ok(listening)
}
