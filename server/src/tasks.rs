//! The owner of every task and thread: no other file of the server spawns, and clippy sees to it (`.clippy.toml`).
//!
//! Long-lived tasks have a name. If one ends before it is told to, that is a bug: it is logged and stops the server, because a
//! room that has silently died is worse than a restart.

use std::future::Future;
use std::io;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Runs work that may block, away from the threads that serve. Dropping the handle does not stop it.
#[expect(clippy::disallowed_methods, reason = "the one place that moves work to the blocking pool")]
pub fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> tokio::task::JoinHandle<T> {
    tokio::task::spawn_blocking(work)
}

/// Runs a task on the calling worker's own runtime, for connections and hubs whose sockets cannot leave that thread. It ends with
/// the worker; if the end of the server must wait for it, it holds a token of the room's tracker.
#[expect(clippy::disallowed_methods, reason = "the one place that spawns tasks that stay on a worker")]
pub fn on_this_worker(task: impl Future<Output = ()> + 'static) {
    actix_web::rt::spawn(task);
}

/// Starts a named thread.
#[expect(clippy::disallowed_methods, reason = "the one place that starts threads")]
pub fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}

/// The tasks of a server. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct TaskSet {
    tracker: TaskTracker,
    stop: CancellationToken,
    failed: CancellationToken,
}

impl TaskSet {
    /// Fires when tasks are to end.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Fires when a long-lived task has ended on its own.
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

    /// Runs a task that ends on its own.
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
