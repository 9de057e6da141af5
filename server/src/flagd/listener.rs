//! A gRPC listener.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};

use crate::tasks::TaskSet;

/// Interval and timeout of HTTP/2 keepalive pings.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
/// Most concurrent streams and calls of one connection.
const STREAMS: u32 = 1_000;

/// Binds the address; logs a warning and returns `None` if that fails.
pub(super) async fn bind(name: &'static str, option: &'static str, address: SocketAddr) -> Option<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Some(listener),
        Err(error) => {
            tracing::warn!(%address, %error, "{name} is not served: cannot listen on this address; choose another with {option}");
            None
        }
    }
}

/// Serves until `stop` fires. Clients may ping as often as they like.
pub(super) fn serve(
    name: &'static str,
    listener: TcpListener,
    tls: Option<&(PathBuf, PathBuf)>,
    routes: Routes,
    tasks: &TaskSet,
    stop: CancellationToken,
) -> io::Result<()> {
    let (interval, patience) = KEEPALIVE;
    let mut server = Server::builder()
        .http2_keepalive_interval(Some(interval))
        .http2_keepalive_timeout(Some(patience))
        .max_concurrent_streams(Some(STREAMS));
    if let Some((certificate, key)) = tls {
        let identity = Identity::from_pem(std::fs::read(certificate)?, std::fs::read(key)?);
        server = server.tls_config(ServerTlsConfig::new().identity(identity)).map_err(io::Error::other)?;
    }
    let served = server
        .add_routes(routes)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), stop.cancelled_owned());
    let ending = tasks.stop_token();
    tasks.long_lived(name, async move {
        tokio::select! {
            ended = served => {
                if let Err(error) = ended {
                    tracing::error!(%error, "{name} has ended");
                    return;
                }
                // It drains before the other tasks are stopped.
                ending.cancelled().await;
            }
            () = ending.cancelled() => {}
        }
    });
    Ok(())
}
