//! Change listeners, called on a thread of their own, so that a slow one delays neither frames nor acknowledgements. Changes in the
//! meantime are merged, so a slow listener is called less often and misses nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use parking_lot::{Condvar, Mutex};

use super::changes::Changes;

type Callback = Arc<dyn Fn(&Changes) + Send + Sync>;

/// All listeners of a client.
#[derive(Default)]
pub(crate) struct Listeners {
    state: Mutex<ListenerState>,
    wake: Condvar,
}

#[derive(Default)]
struct ListenerState {
    callbacks: Vec<(u64, Callback)>,
    next: u64,
    /// What changed since the last call.
    pending: Option<Changes>,
    running: bool,
    ended: bool,
}

/// A registered listener. It is called until this is dropped.
#[must_use = "the listener is removed when this is dropped"]
pub struct Subscription {
    listeners: Weak<Listeners>,
    id: u64,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(listeners) = self.listeners.upgrade() {
            listeners.state.lock().callbacks.retain(|(id, _)| *id != self.id);
        }
    }
}

impl std::fmt::Debug for Listeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listeners").finish_non_exhaustive()
    }
}

impl Listeners {
    /// Registers a listener. The first one starts the thread. If the thread cannot be started, listeners are never called, which is
    /// logged.
    pub(crate) fn add(self: &Arc<Self>, callback: impl Fn(&Changes) + Send + Sync + 'static) -> Subscription {
        let mut state = self.state.lock();
        let id = state.next;
        state.next += 1;
        state.callbacks.push((id, Arc::new(callback)));
        if !state.running && !state.ended {
            let listeners = Arc::clone(self);
            match std::thread::Builder::new().name("ripcord-listeners".to_owned()).spawn(move || listeners.run()) {
                Ok(_) => state.running = true,
                Err(error) => tracing::warn!(%error, "cannot start the thread of change listeners"),
            }
        }
        Subscription {
            listeners: Arc::downgrade(self),
            id,
        }
    }

    /// Passes `changes` on, and returns at once.
    pub(crate) fn notify(&self, changes: Changes) {
        let mut state = self.state.lock();
        if state.callbacks.is_empty() {
            return;
        }
        match &mut state.pending {
            Some(pending) => pending.merge(changes),
            None => state.pending = Some(changes),
        }
        self.wake.notify_one();
    }

    pub(crate) fn end(&self) {
        self.state.lock().ended = true;
        self.wake.notify_all();
    }

    fn run(&self) {
        while let Some((changes, callbacks)) = self.next() {
            for callback in callbacks {
                if catch_unwind(AssertUnwindSafe(|| callback(&changes))).is_err() {
                    tracing::warn!("a change listener panicked; it will be called for later changes");
                }
            }
        }
    }

    fn next(&self) -> Option<(Changes, Vec<Callback>)> {
        let mut state = self.state.lock();
        loop {
            if let Some(changes) = state.pending.take() {
                let callbacks = state.callbacks.iter().map(|(_, callback)| Arc::clone(callback)).collect();
                return Some((changes, callbacks));
            }
            if state.ended {
                return None;
            }
            self.wake.wait(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn a_listener_that_panics_stops_neither_the_others_nor_itself() {
        let listeners = Arc::new(Listeners::default());
        let (sender, heard) = mpsc::channel();
        let _panics = listeners.add(|_| panic!("a listener's own fault"));
        let _hears = listeners.add(move |changes| sender.send(changes.clone()).unwrap());
        for _ in 0..2 {
            listeners.notify(Changes::Everything);
            assert_eq!(heard.recv_timeout(PATIENCE), Ok(Changes::Everything));
        }
        listeners.end();
    }

    #[test]
    fn a_listener_is_not_called_once_its_subscription_is_dropped() {
        let listeners = Arc::new(Listeners::default());
        let (sender, heard) = mpsc::channel();
        let gone = listeners.add(|_| panic!("it was taken out"));
        let _hears = listeners.add(move |changes| sender.send(changes.clone()).unwrap());
        drop(gone);
        listeners.notify(Changes::Everything);
        assert_eq!(heard.recv_timeout(PATIENCE), Ok(Changes::Everything));
        listeners.end();
    }
}
