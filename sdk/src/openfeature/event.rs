//! The events of a provider.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ripcord_proto::FlagKey;

use crate::client::{Changes, Client, Source, State, Status, Subscription};

/// One event, in OpenFeature's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The server's state is loaded.
    Ready,
    /// The last known state is evaluated; the server may have a newer one.
    Stale,
    /// The server refuses the key, and why. The last known state, if there is one, is evaluated.
    Unauthorised(String),
    /// There is no data, and why.
    Error(String),
    /// These flags may have changed; `None` means any flag.
    ConfigurationChanged(Option<BTreeSet<FlagKey>>),
}

/// A registered listener. It is called until this is dropped.
#[must_use = "the listener is removed when this is dropped"]
#[derive(Debug)]
pub struct Events {
    is_registered: Arc<AtomicBool>,
    _changes: Subscription,
}

impl Drop for Events {
    fn drop(&mut self) {
        self.is_registered.store(false, Ordering::Relaxed);
    }
}

impl Events {
    pub(super) fn of(client: &Client, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        let (listener, is_registered) = (Arc::new(listener), Arc::new(AtomicBool::new(true)));
        let of_changes = Arc::clone(&listener);
        let changes = client.on_change(move |changes| {
            of_changes(&Event::ConfigurationChanged(match changes {
                Changes::Everything => None,
                Changes::Flags(flags) => Some(flags.clone()),
            }));
        });
        if let Some(event) = event_of(&client.status()) {
            listener(&event);
        }
        follow(client, listener, Arc::clone(&is_registered));
        Self {
            is_registered,
            _changes: changes,
        }
    }
}

/// Follows the status on a thread of its own, which ends with the client.
fn follow(client: &Client, listener: Arc<impl Fn(&Event) + Send + Sync + 'static>, is_registered: Arc<AtomicBool>) {
    let (mut watch, mut last) = (client.watch_status(), event_of(&client.status()));
    let run = move || {
        while let Some(status) = watch.wait_next() {
            if !is_registered.load(Ordering::Relaxed) {
                return;
            }
            let event = event_of(&status);
            if event != last {
                event.iter().for_each(|event| listener(event));
                last = event;
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("ripcord-events".to_owned()).spawn(run) {
        tracing::warn!(%error, "cannot start the thread of provider events");
    }
}

pub(super) fn event_of(status: &Status) -> Option<Event> {
    let error = || status.error.as_ref().map_or_else(|| status.state.to_string(), ToString::to_string);
    match (status.source, status.state) {
        (Source::Offline, _) | (_, State::Ready) => Some(Event::Ready),
        (_, State::Unauthorised) => Some(Event::Unauthorised(error())),
        (Source::Nothing, State::Connecting) => None,
        (Source::Nothing, State::Stale | State::Resyncing | State::Closed) => Some(Event::Error(error())),
        (Source::Cache | Source::Server, State::Connecting | State::Stale | State::Resyncing | State::Closed) => Some(Event::Stale),
    }
}
