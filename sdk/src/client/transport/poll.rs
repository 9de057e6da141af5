//! Polling: fetches the whole state periodically, for networks that cut long connections.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::http::{Server, SnapshotResponse};
use crate::client::protocol::{Freshness, StreamError};
use crate::client::time_point::TimePoint;

/// The answer to a poll.
#[derive(Debug)]
pub(crate) struct Polled {
    /// The snapshot frame; `None` if nothing changed.
    pub(crate) text: Option<String>,
    /// Whether the node can rule out that it missed a kill.
    pub(crate) freshness: Freshness,
    /// When the request was sent.
    pub(crate) asked: TimePoint,
}

/// A client that polls.
pub(crate) struct Poll {
    server: Server,
    every: Duration,
    known: Option<String>,
    wait: Duration,
    under_way: Option<BoxFuture<'static, Result<(SnapshotResponse, TimePoint), StreamError>>>,
}

impl Poll {
    /// Polls at once, then every `every`.
    pub(super) fn open(server: Server, every: Duration) -> Self {
        Self {
            server,
            every,
            known: None,
            wait: Duration::ZERO,
            under_way: None,
        }
    }

    /// Forgets the current state, so that the next poll is made at once and fetches all of it.
    pub(super) fn resync(&mut self) {
        self.known = None;
        self.wait = Duration::ZERO;
        self.under_way = None;
    }

    /// The answer to the next poll. The future may be dropped while it waits.
    pub(super) async fn receive(&mut self) -> Result<Polled, StreamError> {
        let wait = std::mem::replace(&mut self.wait, self.every);
        let (server, known) = (&self.server, &self.known);
        let under_way = self.under_way.get_or_insert_with(|| ask(server.clone(), known.clone(), wait).boxed());
        let response = under_way.await;
        self.under_way = None;
        let (snapshot, asked) = response?;
        if snapshot.state.is_some() {
            self.known = snapshot.tag;
        }
        Ok(Polled {
            text: snapshot.state,
            freshness: snapshot.freshness,
            asked,
        })
    }
}

async fn ask(server: Server, known: Option<String>, wait: Duration) -> Result<(SnapshotResponse, TimePoint), StreamError> {
    tokio::time::sleep(wait).await;
    let asked = TimePoint::now();
    let snapshot = server.snapshot(known.as_deref()).await?;
    Ok((snapshot, asked))
}
