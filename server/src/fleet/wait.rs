//! Waits until every application has confirmed, or the timeout is over.

use std::time::Duration;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::confirmation::Confirmation;
use tokio::sync::watch;
use tokio::time::Instant;

use super::registry::Fleet;
use super::report::{ConfirmationReport, merge};
use super::target::ConfirmationTarget;

/// Progress of a wait, for callers that display it.
pub type WaitProgress = watch::Sender<Option<Confirmation>>;

/// First interval between two counts of a wait. Counting ten thousand clients takes a tenth of a millisecond.
const LOOK: Duration = Duration::from_millis(5);
/// Longest interval between two counts: after seconds, milliseconds no longer matter.
const LOOK_LATE: Duration = Duration::from_millis(100);

impl Fleet {
    /// Returns when every client of every node has confirmed `target`, was sent it or has fetched it, or after `patience`; `None` if it was
    /// never published here.
    /// `progress` receives this node's count whenever it changes.
    pub async fn wait(
        &self,
        environment: &EnvironmentKey,
        target: &ConfirmationTarget,
        patience: Duration,
        progress: Option<&WaitProgress>,
    ) -> Option<Confirmation> {
        let (own, others) = tokio::join!(
            self.settle(environment, target, patience, progress),
            self.peers().ask(environment, target, patience)
        );
        Some(merge(target, self.beside(environment, own?, &others), others))
    }

    /// This node's report once its clients have all confirmed, or after `patience`. The answer to a peer.
    pub async fn settled(&self, environment: &EnvironmentKey, target: &ConfirmationTarget, patience: Duration) -> Option<ConfirmationReport> {
        let report = self.settle(environment, target, patience, None).await?;
        Some(self.with_arrivals(environment, report))
    }

    async fn settle(
        &self,
        environment: &EnvironmentKey,
        target: &ConfirmationTarget,
        patience: Duration,
        progress: Option<&WaitProgress>,
    ) -> Option<ConfirmationReport> {
        let began = Instant::now();
        let until = began + patience;
        loop {
            let report = self.report(environment, target);
            let is_settled = report.as_ref().is_some_and(ConfirmationReport::awaits_nobody);
            if let (Some(progress), Some(report)) = (progress, &report) {
                let seen = merge(target, report.clone(), Vec::new());
                progress.send_if_modified(|last| {
                    let changed = last.as_ref() != Some(&seen);
                    *last = Some(seen);
                    changed
                });
            }
            let left = until.saturating_duration_since(Instant::now());
            if is_settled || left.is_zero() {
                return report;
            }
            tokio::time::sleep(left.min((began.elapsed() / 100).clamp(LOOK, LOOK_LATE))).await;
        }
    }
}
