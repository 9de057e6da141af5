//! The exchange of provisional kills with peers: at once when a kill is made without the store, and every two seconds,
//! so that a peer that was unreachable gets what it missed. The exchange is idempotent.

use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::service::Kills;
use crate::peer::{PeerReachability, PeerSync};

/// How often peers are called if nothing happens.
const EVERY: Duration = Duration::from_secs(2);

impl Kills {
    /// Exchanges provisional kills with the peers, if there are any, for as long as the server runs.
    pub fn keep_peers_told(&self) {
        let tasks = self.inner.environments.tasks();
        if !self.inner.peers.is_empty() {
            tasks.long_lived("peer-exchange", self.clone().exchange_until(tasks.stop_token()));
        }
    }

    async fn exchange_until(self, stop: CancellationToken) {
        let peers = &self.inner.peers;
        loop {
            let own = self.peer_sync();
            let answers = join_all(peers.urls().iter().map(|url| peers.exchange(url, &own))).await;
            let mut reached = PeerReachability::default();
            for (url, answer) in peers.urls().iter().zip(answers) {
                if let Some(theirs) = answer {
                    reached.reached.push(url.clone());
                    self.accept_all(theirs);
                } else {
                    reached.not_reached.push(url.clone());
                }
            }
            peers.set_reached(&reached);
            tokio::select! {
                () = stop.cancelled() => return,
                () = peers.told() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Answers a peer's call: takes in its provisional kills, and returns this node's.
    pub fn answer_peer(&self, theirs: PeerSync) -> PeerSync {
        self.accept_all(theirs);
        self.peer_sync()
    }

    fn accept_all(&self, theirs: PeerSync) {
        for (environment, overlay) in theirs.overlays {
            self.accept(&theirs.node, &environment, overlay);
        }
    }

    fn peer_sync(&self) -> PeerSync {
        PeerSync {
            node: self.inner.node.clone(),
            overlays: self.overlays(),
        }
    }
}
