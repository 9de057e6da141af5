//! A server that does what the test says and nothing of its own: it accepts streams and hands them to the test, and answers
//! requests from what the test has put there.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use ripcord_proto::frame::{Ack, ClientFrame, Hello};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Longer than anything that a test waits for takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// An answer: status, further header lines, body.
#[derive(Debug, Clone)]
pub struct Detail {
    pub status: u16,
    pub headers: &'static str,
    pub body: String,
}

impl Detail {
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: "",
            body: String::new(),
        }
    }

    pub fn body(body: String) -> Self {
        Self {
            status: 200,
            headers: "",
            body,
        }
    }
}

/// A request that was not a stream.
#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    pub head: String,
    pub body: String,
}

/// What the test has put there.
#[derive(Debug, Default)]
struct Script {
    /// By path; a stream's path is refused with what stands here.
    answers: BTreeMap<String, Detail>,
    requests: Vec<Request>,
}

/// The server. Dropped, it closes its port and all its streams.
pub struct Server {
    pub address: SocketAddr,
    script: Arc<Mutex<Script>>,
    streams: mpsc::UnboundedReceiver<TcpStream>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start() -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// Again at the address of one that is gone, once the system has let go of it.
    pub async fn restart(address: SocketAddr) -> Self {
        let binding = async {
            loop {
                match TcpListener::bind(address).await {
                    Ok(listener) => return listener,
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        Self::listen(tokio::time::timeout(PATIENCE, binding).await.expect("the address is free again"))
    }

    fn listen(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(Script::default()));
        let (accepted, streams) = mpsc::unbounded_channel();
        let shared = Arc::clone(&script);
        let task = tokio::spawn(async move {
            let mut tasks = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                tasks.spawn(serve(socket, Arc::clone(&shared), accepted.clone()));
            }
        });
        Self {
            address,
            script,
            streams,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What `path` is answered with from now on.
    pub fn answer(&self, path: &str, answer: Detail) {
        self.script.lock().unwrap().answers.insert(path.to_owned(), answer);
    }

    /// Streams are let in again.
    pub fn allow(&self, path: &str) {
        self.script.lock().unwrap().answers.remove(path);
    }

    /// The requests to `path` so far.
    pub fn requests(&self, path: &str) -> Vec<Request> {
        self.script
            .lock()
            .unwrap()
            .requests
            .iter()
            .filter(|request| request.path == path)
            .cloned()
            .collect()
    }

    /// The next socket on which a stream was asked for.
    async fn socket(&mut self) -> TcpStream {
        tokio::time::timeout(PATIENCE, self.streams.recv()).await.expect("a client connects").unwrap()
    }

    /// The next WebSocket, after its hello.
    pub async fn stream(&mut self) -> Peer {
        let socket = tokio_tungstenite::accept_async(self.socket().await).await.unwrap();
        let mut peer = Peer(socket);
        match peer.next().await {
            ClientFrame::Hello(hello) => assert!(hello.acknowledges),
            other => panic!("the first frame is a hello, not {other:?}"),
        }
        peer
    }

    /// The next WebSocket, and its hello.
    pub async fn greeted(&mut self) -> (Peer, Hello) {
        let socket = tokio_tungstenite::accept_async(self.socket().await).await.unwrap();
        let mut peer = Peer(socket);
        match peer.next().await {
            ClientFrame::Hello(hello) => (peer, hello),
            other => panic!("the first frame is a hello, not {other:?}"),
        }
    }

    /// The next event stream, and the head of its request.
    pub async fn events(&mut self) -> (Events, String) {
        let mut socket = self.socket().await;
        let head = head(&mut socket).await.unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").await.unwrap();
        (Events(socket), head)
    }
}

async fn serve(mut socket: TcpStream, script: Arc<Mutex<Script>>, streams: mpsc::UnboundedSender<TcpStream>) {
    let Some(peeked) = peek(&socket).await else { return };
    let path = path_of(&peeked);
    let refused = script.lock().unwrap().answers.get(&path).cloned();
    if path == "/v1/stream" && refused.is_none() {
        let _ = streams.send(socket);
        return;
    }
    let Some(head) = head(&mut socket).await else { return };
    let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    if socket.read_exact(&mut body).await.is_err() {
        return;
    }
    let body = String::from_utf8(body).unwrap();
    script.lock().unwrap().requests.push(Request { path, head, body });
    let Detail { status, headers, body } = refused.unwrap_or_else(|| Detail::status(404));
    let text = format!(
        "HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = socket.write_all(text.as_bytes()).await;
}

/// The head of a request, left unread.
async fn peek(socket: &TcpStream) -> Option<String> {
    let mut buffer = vec![0; 16 * 1024];
    let length = socket.peek(&mut buffer).await.ok()?;
    Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

async fn head(socket: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

fn path_of(head: &str) -> String {
    let target = head.split(' ').nth(1).unwrap_or_default();
    target.split('?').next().unwrap_or_default().to_owned()
}

/// A header's value.
pub fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(own, _)| own.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// The server's end of a WebSocket.
pub struct Peer(WebSocketStream<TcpStream>);

impl Peer {
    pub async fn send(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).await.unwrap();
    }

    pub async fn next(&mut self) -> ClientFrame {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("the client says something");
            match message.expect("the client is there").unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("a frame comes, not {other:?}"),
            }
        }
    }

    /// The next acknowledgement; heartbeats before it are skipped.
    pub async fn ack(&mut self) -> Ack {
        loop {
            match self.next().await {
                ClientFrame::Ack(ack) => return ack,
                ClientFrame::Heartbeat(_) => {}
                other => panic!("an acknowledgement comes, not {other:?}"),
            }
        }
    }

    /// The next request for a snapshot; what comes before it is skipped.
    pub async fn resync(&mut self) -> String {
        loop {
            if let ClientFrame::Resync(resync) = self.next().await {
                return resync.why;
            }
        }
    }

    /// Waits until the client is gone.
    pub async fn gone(mut self) {
        let ended = async { while let Some(Ok(_)) = self.0.next().await {} };
        tokio::time::timeout(PATIENCE, ended).await.expect("the client leaves");
    }

    /// Writes bytes that are no frame of a WebSocket, and ends.
    pub async fn break_off(mut self) {
        let socket = self.0.get_mut();
        socket.write_all(&[0x81, 0x7f, 0, 0]).await.unwrap();
        socket.shutdown().await.unwrap();
    }
}

/// The server's end of an event stream.
pub struct Events(TcpStream);

impl Events {
    pub async fn send(&mut self, data: &str) {
        self.0.write_all(format!("event: frame\ndata: {data}\n\n").as_bytes()).await.unwrap();
    }
}

/// Waits until `holds`, looking again and again.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let looking = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("{what}"));
}
