//! A client that never confirms: it says hello and reads every frame, but acknowledges nothing.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use ripcord_proto::EnvironmentKey;
use ripcord_proto::frame::{ClientFrame, Hello, ServerFrame};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::exit::Failure;
use crate::tasks::TaskSet;

/// How long connecting may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connected client. Dropping it closes the connection.
#[derive(Debug)]
pub(super) struct Straggler {
    name: String,
    _hangs_up: DropGuard,
}

impl Straggler {
    /// Connects and waits for the first frame.
    pub(super) async fn connect(address: &str, key: &str, environment: &EnvironmentKey, name: String) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::Local(format!("Cannot connect a client that never confirms: {error}."));
        let address = format!("{}/v1/stream?environment={environment}", address.replacen("http", "ws", 1));
        let mut request = address.into_client_request().map_err(|error| failed(&error))?;
        let header = format!("Bearer {key}").parse().map_err(|error| failed(&error))?;
        request.headers_mut().insert("authorization", header);
        let connecting = tokio::time::timeout(PATIENCE, tokio_tungstenite::connect_async(request));
        let connected = connecting.await.map_err(|error| failed(&error))?;
        let (mut socket, _) = connected.map_err(|error| failed(&error))?;
        let hello = ClientFrame::Hello(Hello {
            sdk: concat!("ripcord-drill/", env!("CARGO_PKG_VERSION")).to_owned(),
            instance: name.clone(),
            instance_id: format!("{:032x}", rand::random::<u128>()),
            epoch: None,
            revision: None,
            hash: None,
            acknowledges: true,
        });
        let hello = serde_json::to_string(&hello).map_err(|error| failed(&error))?;
        socket.send(Message::text(hello)).await.map_err(|error| failed(&error))?;
        let first = tokio::time::timeout(PATIENCE, socket.next()).await.map_err(|error| failed(&error))?;
        match first {
            Some(Ok(Message::Text(text))) if ServerFrame::parse(&text).is_ok() => {}
            _ => return Err(failed(&"the server sent it nothing")),
        }
        let hangs_up = CancellationToken::new();
        let hung_up = hangs_up.clone();
        // It keeps reading, so its connection is healthy; only the acknowledgements are missing.
        TaskSet::default().spawn(async move {
            tokio::select! {
                () = hung_up.cancelled() => {}
                () = async { while let Some(Ok(_)) = socket.next().await {} } => {}
            }
        });
        Ok(Self {
            name,
            _hangs_up: hangs_up.drop_guard(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}
