//! The current status, and those who wait for it to change.

use tokio::sync::watch;

use super::status::Status;

/// Holds the status.
#[derive(Debug)]
pub(crate) struct StatusChannel(watch::Sender<Status>);

impl StatusChannel {
    pub(crate) fn new(status: Status) -> Self {
        Self(watch::Sender::new(status))
    }

    pub(crate) fn get(&self) -> Status {
        self.0.borrow().clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Status> {
        self.0.subscribe()
    }

    /// Changes the status. Watchers are woken unless only the times of the last messages changed.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Status)) {
        self.0.send_if_modified(|status| {
            let mut before = status.clone();
            change(status);
            before.last_heard = status.last_heard;
            before.last_fresh = status.last_fresh;
            before != *status
        });
    }

    /// The server has accepted a batch of counts.
    pub(crate) fn counts_sent(&self) {
        self.update(|status| status.outcomes.batches += 1);
    }

    /// Counts will not reach the server.
    pub(crate) fn counts_dropped(&self, counts: u64) {
        self.update(|status| status.outcomes.dropped += counts);
    }
}
