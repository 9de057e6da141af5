//! Revocations of keys that another node tells of: in force here before the log says so.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Environments;
use crate::commit::traits::FeedMessage;

/// How long a caller waits until they are in force. The writer of the system log may be waiting for a store that does not answer.
const PATIENCE: Duration = Duration::from_millis(250);

impl Environments {
    /// Refuses these keys from now on, and ends their streams. They stay refused until the log says so itself.
    ///
    /// Returns when they are refused, or a moment later if the log is being written: then they are refused as soon as that has ended.
    pub(crate) async fn refuse_keys(&self, keys: BTreeSet<String>) {
        let mut system = self.watch_system();
        self.inner.system.feed(FeedMessage::Revoked(keys.clone())).await;
        let refused = system.wait_for(|state| state.unknown_revocations(&keys).is_empty());
        // If it takes longer, it happens all the same.
        let _ = tokio::time::timeout(PATIENCE, refused).await;
    }
}
