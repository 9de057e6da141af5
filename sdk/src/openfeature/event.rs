//! What happens to a provider, as it happens.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ripcord_proto::FlagKey;

use crate::{Changes, Client, Source, State, Status, Subscription};

/// One event, in OpenFeature's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// What the server has is in force.
    Ready,
    /// The last known state goes on answering; the server may have moved on.
    Stale,
    /// There is nothing to answer from, and why.
    Error(String),
    /// These flags may answer differently; `None` = any flag.
    ConfigurationChanged(Option<BTreeSet<FlagKey>>),
}

/// A registered listener; it is called until this is dropped.
#[must_use = "the listener is taken out when this is dropped"]
#[derive(Debug)]
pub struct Events {
    heard: Arc<AtomicBool>,
    _changes: Subscription,
}

impl Drop for Events {
    fn drop(&mut self) {
        self.heard.store(false, Ordering::Relaxed);
    }
}

impl Events {
    pub(super) fn of(client: &Client, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        let (listener, heard) = (Arc::new(listener), Arc::new(AtomicBool::new(true)));
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
        follow(client, listener, Arc::clone(&heard));
        Self { heard, _changes: changes }
    }
}

/// Follows the status on a thread of its own, which ends with the client.
fn follow(client: &Client, listener: Arc<impl Fn(&Event) + Send + Sync + 'static>, heard: Arc<AtomicBool>) {
    let (mut watch, mut told) = (client.watch_status(), event_of(&client.status()));
    let run = move || {
        while let Some(status) = watch.wait_next() {
            if !heard.load(Ordering::Relaxed) {
                return;
            }
            let event = event_of(&status);
            if event != told {
                event.iter().for_each(|event| listener(event));
                told = event;
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("ripcord-events".to_owned()).spawn(run) {
        tracing::warn!(%error, "the thread of provider events cannot be started");
    }
}

fn event_of(status: &Status) -> Option<Event> {
    let trouble = || status.trouble.as_ref().map_or_else(|| status.state.to_string(), ToString::to_string);
    match (status.source, status.state) {
        (Source::Offline, _) | (_, State::Ready) => Some(Event::Ready),
        (Source::Nothing, State::Connecting) => None,
        (Source::Nothing, State::Stale | State::Resyncing | State::Closed) => Some(Event::Error(trouble())),
        (Source::Cache | Source::Server, State::Connecting | State::Stale | State::Resyncing | State::Closed) => Some(Event::Stale),
    }
}
