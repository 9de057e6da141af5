//! Peers: the HTTP client for the other nodes, which tell each other directly where their logs end and which kills are in force,
//! because the store that would carry it may be away. [`crate::kill`] runs the exchange (`POST /v1/peer/sync`, both ways in one call).
//!
//! Calls carry the shared `RIPCORD_PEER_SECRET`; without it, peers are refused at the start.

pub mod message;
mod standing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use subtle::ConstantTimeEq;
use tokio::sync::{Notify, watch};

pub use self::message::{PeerLog, PeerSync};
#[cfg(test)]
pub use self::standing::Behind;
pub use self::standing::{Standing, StoreStanding, Verdict};
use crate::environment::NodeHeads;
use crate::secret::Secret;

/// How long a peer may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

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
    wake: Notify,
    reached: watch::Sender<PeerReachability>,
    standing: Mutex<Standing>,
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
    /// The peers at `urls`, called with `secret` through `http`. Without a client, no peer is called.
    pub fn new(urls: Vec<String>, secret: Option<Secret>, http: Option<reqwest::Client>) -> Self {
        let reached = PeerReachability {
            reached: Vec::new(),
            not_reached: urls.clone(),
        };
        Self {
            inner: Arc::new(Inner {
                standing: Mutex::new(Standing::new(&urls)),
                urls,
                secret,
                http,
                wake: Notify::new(),
                reached: watch::Sender::new(reached),
            }),
        }
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.inner.urls.is_empty()
    }

    /// Whether this node takes messages of peers.
    pub fn is_configured(&self) -> bool {
        self.inner.secret.is_some()
    }

    /// Their addresses.
    pub fn urls(&self) -> &[String] {
        &self.inner.urls
    }

    /// Has the peers called now, and not only in their turn.
    pub(crate) fn notify(&self) {
        self.inner.wake.notify_one();
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

    /// Waits until the peers are to be called at once.
    pub(crate) async fn notified(&self) {
        self.inner.wake.notified().await;
    }

    /// How current this node is, given the state of its store and where its logs end.
    pub fn judge(&self, store: StoreStanding, own: &NodeHeads) -> Verdict {
        let mut standing = self.inner.standing.lock();
        standing.note_store(store);
        standing.judge(store, own, Instant::now())
    }

    /// Whether this node has had all that its store has since it started.
    pub(crate) fn is_anchored(&self) -> bool {
        self.inner.standing.lock().is_anchored()
    }

    /// Notes a message of a peer.
    pub(crate) fn heard(&self, message: &PeerSync, own: &NodeHeads) {
        self.inner.standing.lock().heard(message, own, Instant::now());
    }

    /// The last answer of the peer at `url`.
    pub(crate) fn last(&self, url: &str) -> Option<Arc<PeerSync>> {
        self.inner.standing.lock().last(url)
    }

    /// Notes which peers answered, and what.
    pub(crate) fn answered(&self, answers: Vec<(String, Option<Arc<PeerSync>>)>) {
        let mut reached = PeerReachability::default();
        let mut standing = self.inner.standing.lock();
        for (url, answer) in answers {
            let side = if answer.is_some() { &mut reached.reached } else { &mut reached.not_reached };
            side.push(url.clone());
            standing.answered(&url, answer, Instant::now());
        }
        drop(standing);
        self.inner.reached.send_if_modified(|was| {
            let changed = *was != reached;
            *was = reached;
            changed
        });
    }

    /// Exchanges messages with the peer at `url`; `None` if it does not answer.
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
