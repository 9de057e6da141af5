//! Keeps the disk cache up to date, beside everything else: what comes in quick succession is written once.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::delta::Urgency;
use tokio::sync::watch;

use super::cache::{Cache, Image};
use super::shared::Shared;
use super::status::CacheStatus;

/// How long an ordinary state waits for the next one. A kill does not wait.
const GATHER: Duration = Duration::from_millis(500);

/// Writes each newest image until nobody sends any more; the last one is written before it returns.
pub(crate) async fn run(cache: Option<Cache>, mut images: watch::Receiver<Option<(Image, Urgency)>>, shared: Arc<Shared>) {
    let Some(cache) = cache else { return };
    while images.changed().await.is_ok() {
        let urgency = images.borrow().as_ref().map(|(_, urgency)| *urgency);
        if urgency == Some(Urgency::Ordinary) {
            gather(&mut images).await;
        }
        let image = images.borrow_and_update().as_ref().map(|(image, _)| image.clone());
        if let Some(image) = image {
            write(&cache, image, &shared).await;
        }
    }
}

/// Waits a little, unless something urgent comes or the end.
async fn gather(images: &mut watch::Receiver<Option<(Image, Urgency)>>) {
    let urgent = images.wait_for(|image| image.as_ref().is_some_and(|(_, urgency)| *urgency == Urgency::Urgent));
    // Both ways to be done mean the same: write now.
    let _ = tokio::time::timeout(GATHER, urgent).await;
}

async fn write(cache: &Cache, image: Image, shared: &Shared) {
    let cache = cache.clone();
    let at = Timestamp::now();
    let written = tokio::task::spawn_blocking(move || cache.store(&image, at)).await;
    let failure = match written {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(error) => Some(error.to_string()),
    };
    let status = match failure {
        None => CacheStatus::Written { at },
        Some(why) => {
            tracing::warn!(why, "the disk cache cannot be written");
            CacheStatus::Unwritable { why }
        }
    };
    shared.set_status(|own| own.cache = status);
}
