//! Waiting for a client, on any executor or on none.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::watch;

use super::client::Client;
use super::status::{ConnectionError, State, Status};

/// Why the client is not ready.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotReady {
    /// It took too long.
    #[error("the client is not ready after {waited:?}{}", because(.error.as_ref()))]
    TimedOut {
        /// How long the caller waited.
        waited: Duration,
        /// The last error of the connection, if there was one.
        error: Option<ConnectionError>,
    },
    /// The client was closed.
    #[error("the client was closed")]
    Closed,
}

fn because(error: Option<&ConnectionError>) -> String {
    error.map_or_else(|| ": the server has not answered yet".to_owned(), |error| format!(": {error}"))
}

impl Client {
    /// Waits until the client is ready, as its [`StartPolicy`](crate::StartPolicy) defines it. It runs on any executor, and the future
    /// may be dropped at any time.
    ///
    /// # Errors
    ///
    /// [`NotReady::Closed`] if the client is closed.
    pub async fn ready(&self) -> Result<(), NotReady> {
        let mut status = self.shared().status().watch();
        let settled = status.wait_for(|status| status.may_start || status.state == State::Closed).await;
        match settled {
            Ok(status) if status.may_start => Ok(()),
            Ok(_) | Err(_) => Err(NotReady::Closed),
        }
    }

    /// [`Self::ready`] with a timeout.
    ///
    /// # Errors
    ///
    /// [`NotReady::TimedOut`] with the last error of the connection, or [`NotReady::Closed`].
    pub async fn ready_within(&self, timeout: Duration) -> Result<(), NotReady> {
        let timer = self.alarms().after(timeout);
        match select(pin!(self.ready()), pin!(timer)).await {
            Either::Left((ready, _)) => ready,
            Either::Right(_) => Err(NotReady::TimedOut {
                waited: timeout,
                error: self.status().error,
            }),
        }
    }

    /// [`Self::ready_within`] for an application without an executor. It blocks the calling thread.
    ///
    /// # Errors
    ///
    /// [`NotReady::TimedOut`] with the last error of the connection, or [`NotReady::Closed`].
    pub fn wait_until_ready(&self, timeout: Duration) -> Result<(), NotReady> {
        block_on(self.ready_within(timeout))
    }

    /// Follows the status from now on.
    pub fn watch_status(&self) -> StatusWatch {
        StatusWatch(self.shared().status().watch())
    }
}

/// Follows the status of a client.
#[derive(Debug, Clone)]
pub struct StatusWatch(watch::Receiver<Status>);

impl StatusWatch {
    /// The next status that differs from the last one in more than the time of the last message; `None` after the client is gone. A slow
    /// caller misses statuses in between, but never the newest one.
    pub async fn next(&mut self) -> Option<Status> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().clone())
    }

    /// [`Self::next`] for an application without an executor. It blocks the calling thread.
    pub fn wait_next(&mut self) -> Option<Status> {
        block_on(self.next())
    }
}

/// Wakes a parked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs one future on the calling thread.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
