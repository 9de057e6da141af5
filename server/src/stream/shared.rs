//! What the hubs of all workers share.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use actix_web::http::header::HeaderMap;
use parking_lot::Mutex;
use ripcord_proto::EnvironmentKey;
use ripcord_proto::problem::Code;
use ripcord_proto::role::Action;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::authorise::{Authorise, environment_of, is_counted};
use super::feed::{Feed, Feeds};
use super::mailbox::{Goodbyes, HubMessage, Mailbox};
use super::settings::StreamSettings;
use crate::fleet::Fleet;
use crate::http::ApiError;
use crate::snapshot::board::Listener;
use crate::snapshot::frames::Frame;
use crate::snapshot::publication::Publication;
use crate::telemetry::names;

/// A request for a stream, an acknowledgement or a snapshot, as far as its permission depends on it.
#[derive(Clone, Copy)]
pub(super) struct StreamRequest<'r> {
    pub(super) headers: &'r HeaderMap,
    pub(super) address: Option<IpAddr>,
    /// The environment that it names.
    pub(super) environment: Option<&'r str>,
}

/// What a request may stream.
pub(super) struct Granted {
    pub(super) feed: Arc<Feed>,
    /// The id of its key.
    pub(super) key_id: Arc<str>,
    /// Whether the reader is an application, which counts for confirmations.
    pub(super) counted: bool,
}

/// Shared by the hubs of all workers.
pub(super) struct StreamState {
    pub(super) settings: StreamSettings,
    pub(super) feeds: Feeds,
    pub(super) fleet: Fleet,
    pub(super) authorise: Arc<dyn Authorise>,
    pub(super) fresh: watch::Receiver<bool>,
    pub(super) mailboxes: Mutex<Vec<Weak<Mailbox>>>,
    pub(super) goodbyes: Goodbyes,
    pub(super) closing: OnceLock<Frame>,
    pub(super) tracker: TaskTracker,
    pub(super) waiting: AtomicUsize,
}

impl StreamState {
    pub(super) fn post(&self, order: &HubMessage) {
        let mailboxes = self.mailboxes.lock();
        for mailbox in mailboxes.iter().filter_map(Weak::upgrade) {
            mailbox.post(order.clone());
        }
    }

    /// The feed that a request may use for `action`.
    pub(super) fn authorised(&self, request: StreamRequest<'_>, action: Action) -> Result<Granted, ApiError> {
        let principal = self.authorise.authorise(request.headers, request.address)?;
        let environment = environment_of(&principal, request.environment, action)?;
        let feed = self
            .feeds
            .of(environment.as_str())
            .ok_or_else(|| ApiError::new(Code::EnvironmentNotFound, format!("No environment {environment}.")))?;
        Ok(Granted {
            feed,
            counted: is_counted(&principal),
            key_id: principal.id,
        })
    }

    /// The same for a new stream, within the limits of this node.
    pub(super) fn grant(&self, request: StreamRequest<'_>) -> Result<Granted, ApiError> {
        let granted = self.authorised(request, Action::Stream)?;
        if self.closing.get().is_some() {
            return Err(ApiError::new(Code::NotReady, "This node is shutting down. Try again in a moment.").retry_after(1));
        }
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting >= self.settings.waiting || self.tracker.len() >= self.settings.connections {
            return Err(ApiError::new(Code::NotReady, "This node has reached its limit of streams. Try again later.").retry_after(5));
        }
        Ok(granted)
    }

    pub(super) fn waits(&self, change: i32) {
        if change > 0 {
            self.waiting.fetch_add(1, Ordering::Relaxed);
        } else {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        metrics::gauge!(names::STREAM_ADMISSIONS_WAITING).increment(f64::from(change));
    }

    pub(super) fn refused(refusal: &ApiError) {
        metrics::counter!(names::STREAM_REFUSALS, "why" => refusal.problem().code.as_str()).increment(1);
    }
}

impl Listener for StreamState {
    fn published(&self, environment: &EnvironmentKey, publication: &Publication) {
        self.feeds.publish(environment, publication);
        self.post(&HubMessage::Published(environment.clone()));
    }

    fn removed(&self, environment: &EnvironmentKey) {
        self.feeds.remove(environment);
        self.post(&HubMessage::Removed(environment.clone(), self.goodbyes.removed.clone()));
    }
}
