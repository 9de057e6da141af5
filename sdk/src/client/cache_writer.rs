//! Keeps the disk cache up to date in the background. States in quick succession are written once.

use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::delta::Urgency;
use tokio::sync::watch;

use super::cache::{Cache, CacheEntry};
use super::status::CacheStatus;
use super::status_channel::StatusChannel;

/// How long an ordinary state waits for the next one. A kill does not wait.
const DEBOUNCE: Duration = Duration::from_millis(500);

/// Writes the newest entry until the sender is dropped. The last entry is written before this returns.
pub(crate) async fn run(cache: Option<Cache>, mut entries: watch::Receiver<Option<(CacheEntry, Urgency)>>, channel: &StatusChannel) {
    let Some(cache) = cache else { return };
    while entries.changed().await.is_ok() {
        let urgency = entries.borrow().as_ref().map(|(_, urgency)| *urgency);
        if urgency == Some(Urgency::Ordinary) {
            debounce(&mut entries).await;
        }
        let entry = entries.borrow_and_update().as_ref().map(|(entry, _)| entry.clone());
        if let Some(entry) = entry {
            write(&cache, entry, channel).await;
        }
    }
}

/// Waits a little, unless something urgent arrives or the sender is dropped.
async fn debounce(entries: &mut watch::Receiver<Option<(CacheEntry, Urgency)>>) {
    let urgent = entries.wait_for(|entry| entry.as_ref().is_some_and(|(_, urgency)| *urgency == Urgency::Urgent));
    // In any case the next step is to write.
    let _ = tokio::time::timeout(DEBOUNCE, urgent).await;
}

async fn write(cache: &Cache, entry: CacheEntry, channel: &StatusChannel) {
    let cache = cache.clone();
    let at = Timestamp::now();
    let written = tokio::task::spawn_blocking(move || cache.store(&entry, at)).await;
    let failure = match written {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(error) => Some(error.to_string()),
    };
    let status = match failure {
        None => CacheStatus::Written { at },
        Some(why) => {
            tracing::warn!(error = why, "cannot write the disk cache");
            CacheStatus::Unwritable { why }
        }
    };
    channel.update(|own| own.cache = status);
}
