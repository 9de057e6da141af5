//! The feed: what other nodes commit, handed to the writer of its log.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Environments;
use crate::commit::state::EnvironmentState;
use crate::commit::traits::FeedMessage;
use crate::store::{FeedEvent, LogName};
use crate::system::SystemState;

/// Follows the feed until it ends or the server does.
pub(super) async fn follow(environments: Environments, mut events: mpsc::Receiver<FeedEvent>, stop: CancellationToken) {
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = stop.cancelled() => return,
        };
        match event {
            Some(event) => environments.take_in(event).await,
            None => return,
        }
    }
}

impl Environments {
    async fn take_in(&self, event: FeedEvent) {
        match event {
            FeedEvent::Entries { log: LogName::System, entries } => self.inner.system.feed(FeedMessage::Entries(entries)).await,
            FeedEvent::Entries {
                log: LogName::Environment(key),
                entries,
            } => {
                // An environment that does not run here yet is loaded whole when the system log names it.
                if let Ok(running) = self.running(&key) {
                    running.committer.feed(FeedMessage::Entries(entries)).await;
                }
            }
            FeedEvent::Replaced {
                log: LogName::System,
                loaded,
                orphaned,
            } => {
                let state = Box::new(SystemState::restore(&loaded));
                self.inner.system.feed(FeedMessage::Replaced { state, orphaned }).await;
            }
            FeedEvent::Replaced {
                log: LogName::Environment(key),
                loaded,
                orphaned,
            } => {
                if let Ok(running) = self.running(&key) {
                    let state = Box::new(EnvironmentState::restore(key, &loaded));
                    running.committer.feed(FeedMessage::Replaced { state, orphaned }).await;
                }
            }
            // The system log says so too, and that is what stops it.
            FeedEvent::Dropped { log } => tracing::info!(%log, "another node deleted a log"),
        }
    }
}
