//! Waiting for a client, on any executor or on none: time is kept by the client's own thread.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot, watch};

use super::Client;
use super::status::{State, Status, Trouble};

/// Why an application that waited may not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// The time was up.
    #[error("the client is not ready after {waited:?}{}", because(.trouble.as_ref()))]
    InTime {
        /// How long was waited.
        waited: Duration,
        /// What kept it.
        trouble: Option<Trouble>,
    },
    /// The client was closed.
    #[error("the client was closed")]
    Closed,
}

fn because(trouble: Option<&Trouble>) -> String {
    trouble.map_or_else(|| "; the server has not answered yet".to_owned(), |trouble| format!(": {trouble}"))
}

impl Client {
    /// Waits until an application may go on, as its [`StartPolicy`](crate::StartPolicy) says. Runs on any executor; may be dropped
    /// at any time.
    pub async fn ready(&self) -> Result<(), NotReady> {
        let mut status = self.shared.watch();
        let settled = status.wait_for(|status| status.may_start || status.state == State::Closed).await;
        match settled {
            Ok(status) if status.may_start => Ok(()),
            Ok(_) | Err(_) => Err(NotReady::Closed),
        }
    }

    /// [`Self::ready`], for no longer than `patience`.
    pub async fn ready_within(&self, patience: Duration) -> Result<(), NotReady> {
        let timer = self.owner.timers.after(patience);
        match select(pin!(self.ready()), pin!(timer)).await {
            Either::Left((ready, _)) => ready,
            Either::Right(_) => Err(NotReady::InTime {
                waited: patience,
                trouble: self.status().trouble,
            }),
        }
    }

    /// [`Self::ready_within`] for an application without an executor: blocks the calling thread.
    pub fn wait_until_ready(&self, patience: Duration) -> Result<(), NotReady> {
        block_on(self.ready_within(patience))
    }
}

/// The status as it changes.
#[derive(Debug, Clone)]
pub struct StatusWatch(watch::Receiver<Status>);

impl StatusWatch {
    pub(super) fn new(status: watch::Receiver<Status>) -> Self {
        Self(status)
    }

    /// The next status that differs from the one seen last in more than when the server was heard; `None` once the client is gone.
    /// A slow watcher misses what was in between, never the newest.
    pub async fn next(&mut self) -> Option<Status> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().clone())
    }

    /// The same for a thread that has nothing else to do.
    pub fn wait_next(&mut self) -> Option<Status> {
        block_on(self.next())
    }
}

/// When to ring, and whom to wake.
pub(super) type Alarm = (Duration, oneshot::Sender<()>);

/// Asks the client's thread to keep time.
#[derive(Debug)]
pub(super) struct Timers(mpsc::UnboundedSender<Alarm>);

impl Timers {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Alarm>) {
        let (sender, alarms) = mpsc::unbounded_channel();
        (Self(sender), alarms)
    }

    /// Where there is no such thread: every time is up at once.
    pub(super) fn none() -> Self {
        Self::new().0
    }

    async fn after(&self, wait: Duration) {
        let (alarm, rung) = oneshot::channel();
        // A thread that has ended drops the alarm, which rings it too: nothing would change any more.
        let _ = self.0.send((wait, alarm));
        let _ = rung.await;
    }
}

/// Keeps time, until it is dropped.
pub(super) async fn keep_time(mut alarms: mpsc::UnboundedReceiver<Alarm>) -> Infallible {
    let mut sleeping = FuturesUnordered::new();
    loop {
        tokio::select! {
            alarm = alarms.recv() => match alarm {
                Some((wait, alarm)) => sleeping.push(async move {
                    tokio::time::sleep(wait).await;
                    // Who asked may have stopped waiting.
                    let _ = alarm.send(());
                }),
                // Nobody can ask any more. The end is not for this to say: a goodbye may still be under way.
                None => pending().await,
            },
            Some(()) = sleeping.next() => {}
        }
    }
}

/// Wakes a thread that is parked.
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
