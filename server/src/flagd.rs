//! flagd's gRPC protocols, for flagd's own clients.
//!
//! ```text
//! flagd.sync.v1.FlagSyncService      sync        the flags, for clients with an engine of their own
//! flagd.evaluation.v1.Service        v1          remote evaluation for older clients
//! flagd.evaluation.v2.Service        v2          remote evaluation; an answer may have no value
//! ```
//!
//! Sync and evaluation have a listener each. If a port is taken, that listener is skipped with a warning, since HTTP works without it.
//! Everything is read from the board. A change, a kill or a rollback reaches a sync client as one payload of one revision.

mod context;
mod environments;
mod evaluation;
mod events;
mod export;
mod grpc_caller;
mod listener;
mod state;
mod sync;
mod v1;
mod v2;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ripcord_proto::grpc::evaluation_v1::service_server::ServiceServer as EvaluationV1Server;
use ripcord_proto::grpc::evaluation_v2::service_server::ServiceServer as EvaluationV2Server;
use ripcord_proto::grpc::sync_v1::flag_sync_service_server::FlagSyncServiceServer;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use self::environments::WatchedEnvironments;
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
    /// Certificate and key files.
    pub tls: Option<(PathBuf, PathBuf)>,
}

/// Starts both listeners and returns those that listen. Streams end when `stop` fires.
///
/// # Errors
/// The certificate or its key cannot be read.
pub async fn start(
    config: &FlagdConfig,
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
        clock: Arc::clone(environments.clock()),
        fleet,
        stop: stop.clone(),
    });
    let sync = Routes::new(FlagSyncServiceServer::new(sync::Sync(Arc::clone(&state))));
    let evaluation = Routes::new(EvaluationV1Server::new(v1::EvaluationV1(Arc::clone(&state)))).add_service(EvaluationV2Server::new(v2::EvaluationV2(state)));
    let mut listening = Vec::new();
    for (name, option, address, routes) in [
        ("flagd sync", "--grpc-sync-listen", config.sync, sync),
        ("flagd evaluation", "--grpc-eval-listen", config.evaluation, evaluation),
    ] {
        let Some(listener) = listener::bind(name, option, address).await else {
            continue;
        };
        listening.push((name, listener.local_addr()?));
        listener::serve(name, listener, config.tls.as_ref(), routes, tasks, stop.clone())?;
    }
    Ok(listening)
}
