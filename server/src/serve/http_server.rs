//! The HTTP server: listeners, TLS and worker threads, with the web framework behind them.
//!
//! It is built from the framework's parts instead of its `HttpServer`, because a WebSocket's socket is taken over: after the
//! opening request such a connection no longer goes through the HTTP service.

mod crowded;
mod kept;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::body::MessageBody;
use actix_http::{HttpService, Protocol, Request, Response};
use actix_server::Server;
use actix_service::{IntoServiceFactory, Service as _, ServiceFactory, ServiceFactoryExt as _, apply_fn_factory, fn_service, map_config};
use actix_web::dev::AppConfig;
use futures_util::TryFutureExt as _;
use futures_util::future::{Either, ready};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use self::kept::KeptConnections;
use super::open_files::{ConnectionBudget, ConnectionPlace};
use crate::stream::{ClientSocket, SocketControl, Streams, Worker};

/// Where and how to listen.
#[derive(Clone)]
pub struct HttpServerSettings {
    /// Worker threads.
    pub workers: usize,
    /// `None` serves plain HTTP.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// How long requests in progress may take during shutdown.
    pub shutdown: Duration,
    /// How long a connection may be idle between two requests.
    pub keep_alive: Duration,
    /// Fires when the server is to end.
    pub stop: CancellationToken,
    /// How many connections there may be.
    pub connections: ConnectionBudget,
}

impl Default for HttpServerSettings {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get),
            tls: None,
            shutdown: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            stop: CancellationToken::new(),
            connections: ConnectionBudget::of_process(),
        }
    }
}

/// How long a TLS handshake or a request's head may take.
const OPENING: Duration = Duration::from_secs(5);

/// Connections of one worker, at most. Set so high that the [`ConnectionBudget`] refuses first: it sends an answer, the framework
/// would not.
const CONNECTIONS: usize = 1_000_000;

/// Starts the server on sockets that are already bound. `app` builds the application of one worker thread; it must call
/// [`Worker::routes`] so that streams and their acknowledgements are mounted. The server does not handle signals: the caller
/// stops it.
pub fn start<F, I, S, B>(listeners: Vec<TcpListener>, settings: &HttpServerSettings, streams: &Streams, app: F) -> io::Result<Server>
where
    F: Fn(Worker) -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error> + 'static,
    S::InitError: std::fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as actix_service::Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let mut server = Server::build()
        .workers(settings.workers)
        .max_concurrent_connections(CONNECTIONS)
        .shutdown_timeout(settings.shutdown.as_secs())
        .disable_signals();
    for listener in listeners {
        let (app, streams, settings) = (app.clone(), streams.clone(), settings.clone());
        let address = listener.local_addr()?;
        server = server.listen(format!("http-{address}"), listener, move || {
            let worker = streams.worker();
            let front = worker.clone();
            let kept = KeptConnections::until(settings.stop.clone());
            let entered = Rc::clone(&kept);
            let (tls, keep_alive) = (settings.tls.clone(), settings.keep_alive);
            let app = app(worker.clone()).into_factory().map_err(|error: S::Error| error.into().error_response());
            let http = HttpService::build()
                .keep_alive(keep_alive)
                .client_request_timeout(OPENING)
                .client_disconnect_timeout(Duration::from_secs(1))
                .h1_allow_half_closed(false)
                .local_addr(address)
                .on_connect_ext(move |transport: &ClientSocket, extensions| {
                    extensions.insert(Rc::<SocketControl>::clone(transport.control()));
                    extensions.insert(entered.enter(transport.control()));
                })
                .upgrade(fn_service(
                    move |(request, framed): (Request, actix_codec::Framed<ClientSocket, actix_http::h1::Codec>)| {
                        let worker = worker.clone();
                        async move {
                            let parts = framed.into_parts();
                            worker.websocket(request, parts.io, parts.read_buf.freeze()).await;
                            Ok::<_, actix_http::Error>(())
                        }
                    },
                ))
                .finish(apply_fn_factory(map_config(app, |()| AppConfig::default()), move |request, app| {
                    let (kept, busy) = (Rc::clone(&kept), KeptConnections::request(&request));
                    match busy.refusal().or_else(|| front.fast_path(&request)) {
                        Some(answer) => Either::Left(ready(Ok(kept.answer(answer, busy)))),
                        None => Either::Right(app.call(request).map_ok(move |answer| kept.answer(answer.into().map_into_boxed_body(), busy))),
                    }
                }));
            let connections = settings.connections.clone();
            fn_service(move |stream: TcpStream| accept(stream, tls.clone(), connections.enter()))
                .map_err(|error: io::Error| actix_http::error::DispatchError::Io(error))
                .and_then(http)
        })?;
    }
    Ok(server.run())
}

/// Prepares a connection: no delay of small writes, and the TLS handshake if TLS is on.
async fn accept(
    mut stream: TcpStream,
    tls: Option<Arc<rustls::ServerConfig>>,
    place: ConnectionPlace,
) -> io::Result<(ClientSocket, Protocol, Option<SocketAddr>)> {
    stream.set_nodelay(true)?;
    let peer = stream.peer_addr().ok();
    let Some(tls) = tls else {
        if place.reserved {
            stream = crowded::admitted(stream).await?;
            let socket = ClientSocket::plain(stream).for_one_request();
            return Ok((socket.holding(place), Protocol::Http1, peer));
        }
        return Ok((ClientSocket::plain(stream).holding(place), Protocol::Http1, peer));
    };
    let handshake = TlsAcceptor::from(tls).accept(stream);
    let stream = tokio::time::timeout(OPENING, handshake).await??;
    let protocol = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        Some(_) | None => Protocol::Http1,
    };
    Ok((ClientSocket::tls(stream).holding(place), protocol, peer))
}

#[cfg(test)]
mod tests;
