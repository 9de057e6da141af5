//! Calls that were answered within 24 hours, so that a repeat gets the same answer and changes nothing.
//!
//! What stands here is only an index: the record itself is in the commit that the call made (or in the journal, for a
//! provisional kill), so that both are there or neither.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use ripcord_proto::commit::{Recorded, Sealed};

use super::{Answer, CommitError, IdempotentCall};

/// How long an answer is remembered.
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

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
    /// The answer that the call got before, where it did. The same key with another request is an error.
    pub fn find(&self, call: &IdempotentCall) -> Result<Option<Answer>, CommitError> {
        let inner = self.inner.lock();
        let key = (call.caller.clone(), call.route.clone(), call.key.clone());
        match inner.calls.get(&key) {
            None => Ok(None),
            Some(recorded) if recorded.request == call.request => Ok(Some(Answer {
                status: recorded.status,
                body: recorded.answer.clone(),
            })),
            Some(_) => Err(CommitError::IdempotencyMismatch),
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
    /// The record of an answer to this call.
    pub fn record(&self, answer: &Answer) -> Recorded {
        Recorded {
            caller: self.caller.clone(),
            route: self.route.clone(),
            key: self.key.clone(),
            request: self.request,
            status: answer.status,
            answer: answer.body.clone(),
        }
    }
}
