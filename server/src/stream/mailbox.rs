//! Messages from other threads to the hub of a worker, and the goodbyes that they carry.

use std::sync::Arc;

use parking_lot::Mutex;
use ripcord_proto::EnvironmentKey;
use ripcord_proto::frame::Goodbye;
use tokio::sync::Notify;

use crate::snapshot::frames::Frame;

/// Messages from other threads to one hub.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    messages: Mutex<Vec<HubMessage>>,
    pub(super) arrived: Notify,
}

/// A message to a hub.
#[derive(Debug, Clone)]
pub(super) enum HubMessage {
    /// An environment has a new state.
    Published(EnvironmentKey),
    /// An environment's streams end.
    Removed(EnvironmentKey, Frame),
    /// A key's streams end.
    Revoked(Arc<str>, Frame),
    /// All streams end.
    Close(Frame),
}

impl Mailbox {
    /// Leaves a message.
    pub(super) fn post(&self, message: HubMessage) {
        let mut messages = self.messages.lock();
        let repeated = match (&message, messages.last()) {
            (HubMessage::Published(now), Some(HubMessage::Published(before))) => now == before,
            _ => false,
        };
        if !repeated {
            messages.push(message);
        }
        drop(messages);
        self.arrived.notify_one();
    }

    /// Takes all messages.
    pub(super) fn take(&self) -> Vec<HubMessage> {
        std::mem::take(&mut *self.messages.lock())
    }
}

/// Goodbyes that are the same for all readers, encoded once.
#[derive(Debug)]
pub(super) struct Goodbyes {
    pub(super) revoked: Frame,
    pub(super) removed: Frame,
}

impl Goodbyes {
    pub(super) fn new() -> Self {
        let last = |why: &str| {
            Frame::goodbye(&Goodbye {
                why: why.to_owned(),
                retry_after_ms: None,
                retry: Some(false),
            })
        };
        Self {
            revoked: last("the key was revoked"),
            removed: last("the environment was deleted"),
        }
    }
}
