//! A listener: HTTP/1.1 and HTTP/2, plain or under TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::http::{FlagdHealth, FlagdHttp};
use crate::tasks::TaskSet;

/// Interval and timeout of HTTP/2 keepalive pings.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
/// Most concurrent streams and calls of one connection.
const STREAMS: u32 = 1_000;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Handshakes at a time; further connections wait.
const HANDSHAKES: usize = 256;

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
    tls: Option<Arc<rustls::ServerConfig>>,
    (service, health): (FlagdHttp, FlagdHealth),
    tasks: &TaskSet,
    stop: CancellationToken,
) {
    let (interval, patience) = KEEPALIVE;
    let server = Server::builder()
        .accept_http1(true)
        .http2_keepalive_interval(Some(interval))
        .http2_keepalive_timeout(Some(patience))
        .max_concurrent_streams(Some(STREAMS));
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let ending = tasks.stop_token();
    tasks.long_lived(name, async move {
        let stopped = async {
            stop.cancelled().await;
            health.stopping().await;
        };
        let served = async {
            match tls {
                None => server.serve_with_incoming_shutdown(service, incoming, stopped).await,
                Some(tls) => server.serve_with_incoming_shutdown(service, secured(incoming, tls), stopped).await,
            }
        };
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
}

/// Connections after their handshakes, which do not wait for each other.
fn secured(incoming: TcpIncoming, tls: Arc<rustls::ServerConfig>) -> impl futures_util::Stream<Item = io::Result<TlsStream<TcpStream>>> {
    let acceptor = TlsAcceptor::from(tls);
    let handshakes = incoming.map(move |connection| {
        let acceptor = acceptor.clone();
        async move { tokio::time::timeout(HANDSHAKE, acceptor.accept(connection?)).await? }
    });
    handshakes.buffer_unordered(HANDSHAKES)
}
