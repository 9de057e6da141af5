//! Peers: the HTTP client for the other nodes, which learn of provisional kills directly because the store that would carry them
//! is away. [`crate::kill`] runs the exchange (`POST /v1/peer/sync`, both ways in one call).
//!
//! Calls carry the shared `RIPCORD_PEER_SECRET`; without it, peers are refused at the start.

use std::sync::Arc;
use std::time::Duration;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::frame::Overlay;
use subtle::ConstantTimeEq;
use tokio::sync::{Notify, watch};

use crate::secret::Secret;

/// How long a peer may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What one node tells another, and is answered.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct PeerSync {
    /// The node that speaks.
    pub node: String,
    /// Its provisional kills, and those that ended lately.
    pub overlays: Vec<(EnvironmentKey, Overlay)>,
}

/// The peers of this node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Peers {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    urls: Vec<String>,
    secret: Option<Secret>,
    http: Option<reqwest::Client>,
    tell: Notify,
    reached: watch::Sender<PeerReachability>,
}

/// Which peers answered when last spoken to.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct PeerReachability {
    /// Those that answered.
    pub reached: Vec<String>,
    /// Those that did not.
    pub not_reached: Vec<String>,
}

impl Peers {
    /// The peers at `urls`, spoken to with `secret`, through `http`. Without a client there is nobody to speak to.
    pub fn new(urls: Vec<String>, secret: Option<Secret>, http: Option<reqwest::Client>) -> Self {
        let reached = PeerReachability {
            reached: Vec::new(),
            not_reached: urls.clone(),
        };
        Self {
            inner: Arc::new(Inner {
                urls,
                secret,
                http,
                tell: Notify::new(),
                reached: watch::Sender::new(reached),
            }),
        }
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.inner.urls.is_empty()
    }

    /// Their addresses.
    pub fn urls(&self) -> &[String] {
        &self.inner.urls
    }

    /// Has the peers told, now and not only in their turn.
    pub(crate) fn tell(&self) {
        self.inner.tell.notify_one();
    }

    /// Which peers answer, now and from now on.
    pub fn reached(&self) -> watch::Receiver<PeerReachability> {
        self.inner.reached.subscribe()
    }

    /// Whether a caller knows the shared secret. Takes the same time for every wrong one.
    pub fn is_peer(&self, presented: &str) -> bool {
        let Some(secret) = &self.inner.secret else { return false };
        secret.expose().as_bytes().ct_eq(presented.as_bytes()).into()
    }

    /// A client and the secret, for questions to peers.
    pub(crate) fn http(&self) -> Option<(&reqwest::Client, &Secret)> {
        self.inner.http.as_ref().zip(self.inner.secret.as_ref())
    }

    /// Waits until the peers are to be told at once.
    pub(crate) async fn told(&self) {
        self.inner.tell.notified().await;
    }

    /// Notes which peers answered.
    pub(crate) fn set_reached(&self, reached: &PeerReachability) {
        self.inner.reached.send_if_modified(|was| std::mem::replace(was, reached.clone()) != *reached);
    }

    /// Exchanges provisional kills with the peer at `url`; `None` if it does not answer.
    pub(crate) async fn exchange(&self, url: &str, sync: &PeerSync) -> Option<PeerSync> {
        let (http, secret) = self.http()?;
        let call = http
            .post(format!("{url}/v1/peer/sync"))
            .bearer_auth(secret.expose())
            .json(sync)
            .timeout(PATIENCE)
            .send();
        let answer = match call.await.and_then(reqwest::Response::error_for_status) {
            Ok(answer) => answer.json().await,
            Err(error) => Err(error),
        };
        answer
            .map_err(|error| tracing::debug!(url, error = %error.without_url(), "a peer does not answer"))
            .ok()
    }
}
