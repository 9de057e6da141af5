//! A server on a free port, and clients of both transports.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actix_web::App;
use actix_web::http::header::HeaderMap;
use futures_util::{SinkExt as _, StreamExt as _};
use ripcord_proto::frame::{Ack, ClientFrame, Hello, ServerFrame};
use ripcord_proto::problem::Code;
use ripcord_proto::role::Role;
use ripcord_proto::{EnvironmentKey, KillId, Position};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;

use crate::access::{EnvironmentAccess, Principal};
use crate::fleet::{self, Fleet, NoPeers};
use crate::http::ApiError;
use crate::serve::http_server::{self, HttpServerSettings};
use crate::snapshot::fixture::Stage;
use crate::stream::{Authorise, StreamSettings, Streams};

/// Keys by name: `good` and `other` are applications', `viewer` is a person's, `browser` may not stream, `wrong` is none.
struct NamedKeys(EnvironmentKey);

impl Authorise for NamedKeys {
    fn authorise(&self, headers: &HeaderMap, _: Option<IpAddr>) -> Result<Principal, ApiError> {
        let key = headers.get("x-api-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
        let role = match key {
            "good" | "other" => Role::Sdk,
            "viewer" => Role::Viewer,
            "browser" => Role::Client,
            _ => return Err(ApiError::new(Code::Unauthenticated, "A valid key is needed.")),
        };
        Ok(Principal {
            id: key.into(),
            name: key.to_owned(),
            role,
            environments: EnvironmentAccess::Only([self.0.clone()].into()),
        })
    }
}

pub(super) struct HttpNode {
    pub(super) address: SocketAddr,
    pub(super) streams: Streams,
    pub(super) fleet: Fleet,
    stage: Mutex<Stage>,
    _fresh: watch::Sender<bool>,
}

impl HttpNode {
    /// Runs `test` against a server that ends with it.
    pub(super) fn run(stage: Stage, test: impl AsyncFnOnce(Arc<Self>)) {
        Self::run_with(stage, |_, _| {}, test);
    }

    /// The same with other settings.
    pub(super) fn run_with(stage: Stage, set: impl FnOnce(&mut StreamSettings, &mut HttpServerSettings), test: impl AsyncFnOnce(Arc<Self>)) {
        // Another test of the process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        actix_web::rt::System::new().block_on(async {
            let mut settings = StreamSettings {
                workers: 2,
                ..StreamSettings::default()
            };
            let mut entry = HttpServerSettings {
                workers: 2,
                shutdown: Duration::from_secs(1),
                ..HttpServerSettings::default()
            };
            set(&mut settings, &mut entry);
            let (fresh, freshness) = watch::channel(true);
            let fleet = Fleet::new(&stage.board, fleet::FleetSettings::new("node-1"), Arc::new(NoPeers));
            let keys = Arc::new(NamedKeys(stage.environment()));
            let streams = Streams::new(&stage.board, settings, fleet.clone(), keys, freshness);
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let node = Arc::new(Self {
                address: listener.local_addr().unwrap(),
                streams: streams.clone(),
                fleet,
                stage: Mutex::new(stage),
                _fresh: fresh,
            });
            let app = |worker: crate::stream::Worker| App::new().configure(move |config| worker.routes(config));
            let server = http_server::start(vec![listener], &entry, &streams, app).unwrap();
            let handle = server.handle();
            let running = actix_web::rt::spawn(server);
            tokio::time::timeout(Duration::from_secs(30), test(node))
                .await
                .expect("the test takes too long");
            handle.stop(false).await;
            running.await.unwrap().unwrap();
        });
    }

    pub(super) fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap()
    }

    pub(super) fn environment(&self) -> EnvironmentKey {
        self.stage().environment()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn get(&self, path: &str, key: &str) -> reqwest::RequestBuilder {
        reqwest::Client::new().get(self.url(path)).header("x-api-key", key)
    }

    pub(super) async fn get_status(&self, path: &str, key: &str) -> u16 {
        self.get(path, key).send().await.unwrap().status().as_u16()
    }

    pub(super) async fn post_ack(&self, body: &serde_json::Value) -> u16 {
        self.post_ack_as("good", body).await
    }

    pub(super) async fn post_ack_as(&self, key: &str, body: &serde_json::Value) -> u16 {
        let request = reqwest::Client::new().post(self.url("/v1/stream/ack")).header("x-api-key", key);
        request.json(body).send().await.unwrap().status().as_u16()
    }

    pub(super) async fn snapshot(&self, tag: Option<&str>) -> (u16, String, String) {
        let mut request = self.get("/v1/snapshot", "good");
        if let Some(tag) = tag {
            request = request.header("if-none-match", tag);
        }
        let response = request.send().await.unwrap();
        let tag = response.headers()["etag"].to_str().unwrap().to_owned();
        (response.status().as_u16(), tag, response.text().await.unwrap())
    }

    pub(super) async fn events(&self, query: &str, last_event: Option<&str>) -> Events {
        self.events_as("good", query, last_event).await
    }

    pub(super) async fn events_as(&self, key: &str, query: &str, last_event: Option<&str>) -> Events {
        let mut request = self.get(&format!("/v1/stream{query}"), key).header("accept", "text/event-stream");
        if let Some(id) = last_event {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events::of(response)
    }
}

/// A reader of the event stream.
pub(super) struct Events {
    response: reqwest::Response,
    buffer: String,
}

impl Events {
    pub(super) fn of(response: reqwest::Response) -> Self {
        Self {
            response,
            buffer: String::new(),
        }
    }

    /// The next event but heartbeats: its id and its frame.
    pub(super) async fn next(&mut self) -> (Option<String>, ServerFrame) {
        loop {
            match self.event().await {
                (_, ServerFrame::Heartbeat(_)) => {}
                event => return event,
            }
        }
    }

    /// The next event.
    pub(super) async fn event(&mut self) -> (Option<String>, ServerFrame) {
        loop {
            if let Some(end) = self.buffer.find("\n\n") {
                let event: String = self.buffer.drain(..end + 2).collect();
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let frame = ServerFrame::parse(&field("data: ").unwrap()).unwrap();
                return (field("id: "), frame);
            }
            let chunk = self.response.chunk().await.unwrap().expect("the stream goes on");
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

/// A client over WebSocket.
pub(super) struct Client<S = tokio::net::TcpStream>(WebSocketStream<S>);

pub(super) fn hello(name: &str, position: Option<Position>) -> Hello {
    Hello {
        sdk: "test/1".to_owned(),
        instance: name.to_owned(),
        instance_id: format!("id-{name}"),
        epoch: position.map(|position| position.epoch),
        revision: position.map(|position| position.revision),
        hash: None,
        acknowledges: true,
    }
}

impl Client {
    pub(super) fn request(node: &HttpNode, key: &str) -> Request {
        let mut request = format!("ws://{}/v1/stream", node.address).into_client_request().unwrap();
        request.headers_mut().insert("x-api-key", key.parse().unwrap());
        request
    }

    pub(super) async fn connect(node: &HttpNode, hello: Hello) -> Self {
        Self::connect_as(node, "good", hello).await
    }

    pub(super) async fn connect_as(node: &HttpNode, key: &str, hello: Hello) -> Self {
        let stream = tokio::net::TcpStream::connect(node.address).await.unwrap();
        Self::over(stream, node, key, hello).await
    }

    /// The status with which a connection is refused.
    pub(super) async fn refused(node: &HttpNode, key: &str) -> u16 {
        let stream = tokio::net::TcpStream::connect(node.address).await.unwrap();
        match tokio_tungstenite::client_async(Self::request(node, key), stream).await {
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => response.status().as_u16(),
            other => panic!("not refused: {other:?}"),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Over a connection that is there.
    pub(super) async fn over(stream: S, node: &HttpNode, key: &str, hello: Hello) -> Self {
        let (socket, _) = tokio_tungstenite::client_async(Client::request(node, key), stream).await.unwrap();
        let mut client = Self(socket);
        client.send(&ClientFrame::Hello(hello)).await;
        client
    }

    pub(super) async fn send(&mut self, frame: &ClientFrame) {
        self.send_text(&serde_json::to_string(frame).unwrap()).await;
    }

    pub(super) async fn send_text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub(super) async fn ack(&mut self, node: &HttpNode, at: Position, kills: Vec<KillId>) {
        let ack = Ack {
            epoch: at.epoch,
            revision: at.revision,
            hash: node.stage().served.hash,
            kills,
        };
        self.send(&ClientFrame::Ack(ack)).await;
    }

    /// The next frame but heartbeats.
    pub(super) async fn next(&mut self) -> ServerFrame {
        loop {
            let frame = self.frame().await;
            if !matches!(frame, ServerFrame::Heartbeat(_)) {
                return frame;
            }
        }
    }

    /// The next frame.
    pub(super) async fn frame(&mut self) -> ServerFrame {
        loop {
            let message = self.0.next().await.expect("the stream goes on").unwrap();
            if let Message::Text(text) = &message {
                return ServerFrame::parse(text).unwrap();
            }
            assert!(matches!(message, Message::Ping(_) | Message::Pong(_)), "not a frame: {message:?}");
        }
    }

    /// Whether the server closes after what was read.
    pub(super) async fn is_closed(&mut self) -> bool {
        let closing = matches!(self.0.next().await, Some(Ok(Message::Close(_)) | Err(_)) | None);
        // Reading on answers the close frame.
        closing && !matches!(self.0.next().await, Some(Ok(_)))
    }
}

/// Waits until `done` says so.
pub(super) async fn eventually(done: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never happens");
}
