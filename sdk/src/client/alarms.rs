//! Timeouts on any executor, or on none: the client's own thread keeps the time.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};

/// When to ring, and whom to wake.
pub(super) type Alarm = (Duration, oneshot::Sender<()>);

/// Asks the client's thread to wake a waiter later.
#[derive(Debug)]
pub(super) struct Alarms(mpsc::UnboundedSender<Alarm>);

impl Alarms {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Alarm>) {
        let (sender, alarms) = mpsc::unbounded_channel();
        (Self(sender), alarms)
    }

    /// Without a thread: every alarm rings at once.
    pub(super) fn none() -> Self {
        Self::new().0
    }

    pub(super) async fn after(&self, wait: Duration) {
        let (alarm, rung) = oneshot::channel();
        // A thread that has ended drops the alarm, which rings it as well: waiting longer would change nothing.
        let _ = self.0.send((wait, alarm));
        let _ = rung.await;
    }
}

/// Rings the alarms, until it is dropped.
pub(super) async fn ring(mut alarms: mpsc::UnboundedReceiver<Alarm>) -> Infallible {
    let mut sleeping = FuturesUnordered::new();
    loop {
        tokio::select! {
            alarm = alarms.recv() => match alarm {
                Some((wait, alarm)) => sleeping.push(async move {
                    tokio::time::sleep(wait).await;
                    // The waiter may have given up.
                    let _ = alarm.send(());
                }),
                // The last client was dropped. That must not end the thread from here: the goodbye may still be under way.
                None => pending().await,
            },
            Some(()) = sleeping.next() => {}
        }
    }
}
