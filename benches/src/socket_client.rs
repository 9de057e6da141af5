//! A client over a real socket, whose other end is in the bench's hands.

use std::time::Duration;

use futures_util::SinkExt as _;
use ripcord_proto::Snapshot;
use ripcord_proto::frame::{Overlay, encode_snapshot};
use ripcord_sdk::{Client, Reporting};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// A client that is in sync with this end of its stream.
#[derive(Debug)]
pub struct SocketClient {
    /// The client.
    pub client: Client,
    /// This end.
    pub stream: WebSocketStream<TcpStream>,
    /// What it has.
    pub snapshot: Snapshot,
}

impl SocketClient {
    /// Starts a client and sends it `snapshot`.
    pub fn start(runtime: &Runtime, snapshot: Snapshot, reporting: Reporting) -> anyhow::Result<Self> {
        let frame = encode_snapshot(&snapshot, &snapshot.content_hash(), &Overlay::default())?;
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = format!("http://{}", listener.local_addr()?);
            let client = Client::builder(&address, "rc_sdk_bench")
                .environment("production")
                .reporting(reporting)
                .start()?;
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let mut stream = tokio_tungstenite::accept_async(socket).await?;
            stream.send(Message::text(frame)).await?;
            client.ready_within(Duration::from_secs(20)).await?;
            Ok(Self { client, stream, snapshot })
        })
    }
}
