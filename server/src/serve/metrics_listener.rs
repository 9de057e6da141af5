//! A listener for `/metrics` alone, for the network of the monitoring.

use std::net::SocketAddr;

use actix_web::HttpServer;

use super::error::ServeError;
use super::listener;
use crate::api::Api;
use crate::tasks::TaskSet;

/// Connections at a time; scrapers are few.
const CONNECTIONS: usize = 64;

/// Serves the metrics at `address`, if there is one.
///
/// # Errors
/// The address cannot be listened on.
pub(super) fn start(address: Option<SocketAddr>, api: &Api, tasks: &TaskSet) -> Result<(), ServeError> {
    let Some(address) = address else { return Ok(()) };
    let (listener, api) = (listener::bind(address)?, api.clone());
    let server = HttpServer::new(move || api.metrics_app())
        .workers(1)
        .max_connections(CONNECTIONS)
        .shutdown_timeout(1)
        .disable_signals()
        .listen(listener)
        .map_err(ServeError::Http)?
        .run();
    let (handle, stop) = (server.handle(), tasks.stop_token());
    tasks.long_lived("metrics-listener", async move {
        tokio::select! {
            ended = server => {
                if let Err(error) = ended {
                    tracing::error!(%error, "the listener of the metrics has ended");
                }
            }
            () = stop.cancelled() => handle.stop(false).await,
        }
    });
    Ok(())
}
