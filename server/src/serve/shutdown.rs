//! Shutting down, in order and with a deadline: streams get a goodbye, no new requests are accepted, those in progress finish,
//! tasks end, and the store flushes and closes.

use std::time::Duration;

use actix_server::Server;
use tokio_util::sync::CancellationToken;

use super::error::ServeError;
use super::stores::OpenedStore;
use crate::environment::Environments;
use crate::stream::Streams;
use crate::tasks::TaskSet;

/// How long clients are asked to wait before they reconnect; they add full jitter.
const COME_BACK: Duration = Duration::from_secs(2);
/// How long streams may take to end, and requests to finish.
pub(super) const DRAIN: Duration = Duration::from_secs(10);

/// Serves until told to stop, or until a task that must keep running has ended; then drains.
pub(super) async fn serve_until(stop: CancellationToken, server: Server, streams: &Streams, tasks: &TaskSet, opened: &OpenedStore) -> Result<(), ServeError> {
    let handle = server.handle();
    let failed = tasks.failed();
    let mut server = std::pin::pin!(server);
    let ended = tokio::select! {
        () = stop.cancelled() => Ok(()),
        () = failed.cancelled() => Err(ServeError::TaskEnded),
        ended = &mut server => Err(ServeError::Http(ended.err().unwrap_or_else(|| std::io::Error::other("it ended on its own")))),
    };
    tracing::info!("shutting down");
    if !matches!(ended, Err(ServeError::Http(_))) {
        streams.close(COME_BACK, DRAIN).await;
        // The server obeys its handle only while it is polled.
        let (ended, ()) = tokio::join!(server, handle.stop(true));
        if let Err(error) = ended {
            tracing::warn!(%error, "the HTTP server did not shut down cleanly");
        }
    }
    if tokio::time::timeout(DRAIN, tasks.end()).await.is_err() {
        tracing::warn!("some tasks did not end in time");
    }
    opened.store.close().await?;
    ended
}

/// Ends the streams of a key as soon as it is revoked, on every node.
pub(super) fn end_streams_of_revoked_keys(environments: &Environments, streams: &Streams, tasks: &TaskSet) {
    let (mut system, streams, stop) = (environments.watch_system(), streams.clone(), tasks.stop_token());
    tasks.long_lived("key-revocation", async move {
        let mut known = system.borrow_and_update().keys.clone();
        loop {
            tokio::select! {
                changed = system.changed() => if changed.is_err() { return },
                () = stop.cancelled() => return,
            }
            let now = system.borrow_and_update().keys.clone();
            for id in known.keys().filter(|id| !now.contains_key(*id)) {
                streams.revoke(id);
            }
            known = now;
        }
    });
}
