//! No stream at all: the whole state is asked for from time to time, for places where long connections are cut.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::http::{Server, Whole};
use crate::client::moment::Moment;
use crate::client::protocol::{Freshness, Lost};

/// What a poll found.
#[derive(Debug)]
pub(crate) struct Polled {
    /// The snapshot frame; `None` = nothing new.
    pub(crate) text: Option<String>,
    /// Whether the node vouches for it.
    pub(crate) freshness: Freshness,
    /// When it was asked.
    pub(crate) asked: Moment,
}

/// Polls.
pub(crate) struct Poll {
    server: Server,
    every: Duration,
    known: Option<String>,
    wait: Duration,
    under_way: Option<BoxFuture<'static, Result<(Whole, Moment), Lost>>>,
}

impl Poll {
    /// The first poll is made at once, the next ones every `every`.
    pub(super) fn open(server: Server, every: Duration) -> Self {
        Self {
            server,
            every,
            known: None,
            wait: Duration::ZERO,
            under_way: None,
        }
    }

    /// Forgets which state is in force: the next poll asks for all of it, at once.
    pub(super) fn resync(&mut self) {
        self.known = None;
        self.wait = Duration::ZERO;
        self.under_way = None;
    }

    /// What the next poll finds. May be dropped while it waits.
    pub(super) async fn receive(&mut self) -> Result<Polled, Lost> {
        let wait = std::mem::replace(&mut self.wait, self.every);
        let (server, known) = (&self.server, &self.known);
        let under_way = self.under_way.get_or_insert_with(|| ask(server.clone(), known.clone(), wait).boxed());
        let answered = under_way.await;
        self.under_way = None;
        let (whole, asked) = answered?;
        if whole.state.is_some() {
            self.known = whole.tag;
        }
        Ok(Polled {
            text: whole.state,
            freshness: whole.freshness,
            asked,
        })
    }
}

async fn ask(server: Server, known: Option<String>, wait: Duration) -> Result<(Whole, Moment), Lost> {
    tokio::time::sleep(wait).await;
    let asked = Moment::now();
    let whole = server.whole(known.as_deref()).await?;
    Ok((whole, asked))
}
