//! Change listeners, called on a thread of their own: one that takes its time holds up neither frames nor acknowledgements. What
//! changes meanwhile is gathered, so a slow listener hears less often and misses nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use super::changes::Changes;

type Callback = Arc<dyn Fn(&Changes) + Send + Sync>;

/// All listeners of a client.
#[derive(Default)]
pub(crate) struct Listeners {
    state: Mutex<Gathered>,
    wake: Condvar,
}

#[derive(Default)]
struct Gathered {
    callbacks: Vec<(u64, Callback)>,
    next: u64,
    changes: Option<Changes>,
    running: bool,
    ended: bool,
}

/// A registered listener; it is called until this is dropped.
#[must_use = "the listener is taken out when this is dropped"]
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
            listeners.lock().callbacks.retain(|(id, _)| *id != self.id);
        }
    }
}

impl std::fmt::Debug for Listeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listeners").finish_non_exhaustive()
    }
}

impl Listeners {
    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a listener. The first one starts the thread; where none can be started the listener is never called, and the
    /// log says so.
    pub(crate) fn add(self: &Arc<Self>, callback: impl Fn(&Changes) + Send + Sync + 'static) -> Subscription {
        let mut state = self.lock();
        let id = state.next;
        state.next += 1;
        state.callbacks.push((id, Arc::new(callback)));
        if !state.running && !state.ended {
            let listeners = Arc::clone(self);
            match std::thread::Builder::new().name("ripcord-listeners".to_owned()).spawn(move || listeners.run()) {
                Ok(_) => state.running = true,
                Err(error) => tracing::warn!(%error, "the thread of change listeners cannot be started"),
            }
        }
        Subscription {
            listeners: Arc::downgrade(self),
            id,
        }
    }

    /// Tells them, and returns at once.
    pub(crate) fn tell(&self, changes: Changes) {
        let mut state = self.lock();
        if state.callbacks.is_empty() {
            return;
        }
        match &mut state.changes {
            Some(gathered) => gathered.merge(changes),
            None => state.changes = Some(changes),
        }
        self.wake.notify_one();
    }

    /// No more changes will come.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.wake.notify_all();
    }

    fn run(&self) {
        while let Some((changes, callbacks)) = self.next() {
            for callback in callbacks {
                if catch_unwind(AssertUnwindSafe(|| callback(&changes))).is_err() {
                    tracing::warn!("a change listener panicked; it will be called again");
                }
            }
        }
    }

    fn next(&self) -> Option<(Changes, Vec<Callback>)> {
        let mut state = self.lock();
        loop {
            if let Some(changes) = state.changes.take() {
                let callbacks = state.callbacks.iter().map(|(_, callback)| Arc::clone(callback)).collect();
                return Some((changes, callbacks));
            }
            if state.ended {
                return None;
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
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
            listeners.tell(Changes::Everything);
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
        listeners.tell(Changes::Everything);
        assert_eq!(heard.recv_timeout(PATIENCE), Ok(Changes::Everything));
        listeners.end();
    }
}
