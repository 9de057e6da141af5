//! The owner of every task: nobody else spawns.
//!
//! Long-lived tasks have a name. One that ends before it is told to is a fault of the server: it is logged and stops the
//! server, since a room that has silently died is worse than a restart.

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A cheap handle on the tasks of a server.
#[derive(Debug, Clone, Default)]
pub struct TaskSet {
    tracker: TaskTracker,
    stop: CancellationToken,
    failed: CancellationToken,
}

impl TaskSet {
    /// Tells tasks to end.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Fires when a long-lived task has ended by itself.
    pub fn failed(&self) -> CancellationToken {
        self.failed.clone()
    }

    /// Runs a task that lives as long as the server. It must end soon after the stop token fires.
    pub fn long_lived(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (stop, failed) = (self.stop.clone(), self.failed.clone());
        self.tracker.spawn(async move {
            task.await;
            if !stop.is_cancelled() {
                tracing::error!(task = name, "a task that must not end has ended; the server stops");
                failed.cancel();
            }
        });
    }

    /// Runs a task that ends by itself.
    pub fn short_lived(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Tells all tasks to end and waits until they have.
    pub async fn end(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
