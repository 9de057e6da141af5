//! Idempotent calls of the last 24 hours: a repeat gets the first answer and changes nothing.
//!
//! This is only an index. The record itself is in the commit that the call made (or in the journal, for a provisional kill), so
//! that both are stored or neither. That is why the bytes of an answer must be known before the append: a call is submitted with
//! a [`Renderer`].

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use ripcord_proto::commit::{Recorded, Sealed};
use ripcord_proto::digest::Digest;
use serde_json::value::RawValue;

use super::error::{CommitError, InvalidDraft};

/// How long an answer is remembered.
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// An idempotent call: the same caller, route, key and body get the same answer for 24 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotentCall {
    /// The id of the caller's key, or `admin`.
    pub caller: String,
    /// Method and path.
    pub route: String,
    /// The `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of the body.
    pub request: Digest,
}

/// The answer to an idempotent call, as it is recorded: without what is looked up again for each reply (the confirmation).
#[derive(Debug, Clone)]
pub struct RenderedAnswer {
    /// The status of the reply.
    pub status: u16,
    /// The JSON body of the reply.
    pub body: Box<RawValue>,
}

/// Renders the answer to an idempotent call from what it did.
pub struct Renderer<T>(Arc<dyn Fn(&T) -> RenderedAnswer + Send + Sync>);

impl<T> Renderer<T> {
    /// Renders with `render`.
    pub fn new(render: impl Fn(&T) -> RenderedAnswer + Send + Sync + 'static) -> Self {
        Self(Arc::new(render))
    }

    /// The answer for `done`.
    pub fn render(&self, done: &T) -> RenderedAnswer {
        (self.0)(done)
    }
}

impl<T> Default for Renderer<T> {
    /// An empty answer: for drafts without an idempotent call, whose answer is never recorded.
    fn default() -> Self {
        Self::new(|_| RenderedAnswer {
            status: 200,
            body: RawValue::NULL.to_owned(),
        })
    }
}

impl<T> Clone for Renderer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> std::fmt::Debug for Renderer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renderer").finish_non_exhaustive()
    }
}

type Key = (String, String, String);

/// The answered calls of one log.
#[derive(Debug, Default)]
pub struct AnsweredCalls {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    calls: HashMap<Key, Recorded>,
    by_age: VecDeque<(Timestamp, Key)>,
}

impl AnsweredCalls {
    /// The answer that the call got before, if any. The same key with a different request is an error.
    pub fn find(&self, call: &IdempotentCall) -> Result<Option<Recorded>, CommitError> {
        let inner = self.inner.lock();
        let key = (call.caller.clone(), call.route.clone(), call.key.clone());
        match inner.calls.get(&key) {
            None => Ok(None),
            Some(recorded) if recorded.request == call.request => Ok(Some(recorded.clone())),
            Some(_) => Err(CommitError::Invalid(InvalidDraft::IdempotencyMismatch)),
        }
    }

    /// Remembers an answer given at `at`, and forgets those older than a day before it.
    pub fn remember(&self, at: Timestamp, recorded: Recorded) {
        let mut inner = self.inner.lock();
        let key = (recorded.caller.clone(), recorded.route.clone(), recorded.key.clone());
        inner.by_age.push_back((at, key.clone()));
        inner.calls.insert(key, recorded);
        let oldest = at - REMEMBERED;
        while inner.by_age.front().is_some_and(|(age, _)| *age < oldest) {
            if let Some((_, key)) = inner.by_age.pop_front() {
                inner.calls.remove(&key);
            }
        }
    }

    /// Remembers what commits recorded.
    pub fn follow(&self, entries: &[Sealed]) {
        for entry in entries {
            if let Some(recorded) = &entry.commit.idempotency {
                self.remember(entry.commit.at, recorded.clone());
            }
        }
    }
}

impl IdempotentCall {
    /// Whether both are the same call, whatever their bodies.
    pub(super) fn has_key_of(&self, other: &Self) -> bool {
        self.caller == other.caller && self.route == other.route && self.key == other.key
    }

    /// Whether `recorded` is the answer to this call, whatever its body.
    pub(super) fn is_answered_by(&self, recorded: &Recorded) -> bool {
        self.caller == recorded.caller && self.route == recorded.route && self.key == recorded.key
    }

    /// The record of an answer to this call.
    pub fn record(&self, answer: RenderedAnswer) -> Recorded {
        Recorded {
            caller: self.caller.clone(),
            route: self.route.clone(),
            key: self.key.clone(),
            request: self.request,
            status: answer.status,
            answer: answer.body,
        }
    }
}

/// The status of a recorded answer that is a proposal. Nothing else is recorded with it; older logs contain it too.
const PROPOSED: u16 = 202;

impl RenderedAnswer {
    /// The answer that is a proposal, from the proposal's JSON.
    pub fn of_proposal(proposal: &RawValue) -> Self {
        #[derive(serde::Serialize)]
        struct Body<'a> {
            revision: Option<u64>,
            proposal: &'a RawValue,
        }
        let body = Body { revision: None, proposal };
        Self {
            status: PROPOSED,
            body: serde_json::value::to_raw_value(&body).unwrap_or_default(),
        }
    }
}

/// Whether a recorded answer is a proposal.
pub const fn tells_of_proposal(recorded: &Recorded) -> bool {
    recorded.status == PROPOSED
}
