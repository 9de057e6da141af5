//! Who gets a first payload when: a reconnect storm is let in at a bounded rate, those first whose state is older than the
//! newest urgent revision. Pure: time is passed in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How soon a client must be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precedence {
    /// A kill or rollback has passed it by.
    Urgent,
    /// It is merely behind.
    Ordinary,
}

/// A token bucket: `rate` a second, at most `burst` at once.
#[derive(Debug)]
struct Bucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate).min(self.burst);
        self.filled = now;
    }
}

/// The queue of those who wait, each in its turn within its precedence.
#[derive(Debug)]
pub(super) struct AdmissionQueue<T> {
    bucket: Bucket,
    urgent: VecDeque<T>,
    ordinary: VecDeque<T>,
}

impl<T> AdmissionQueue<T> {
    /// Lets `rate` clients in a second, and up to a tenth of that at once.
    pub(super) fn new(rate: f64, now: Instant) -> Self {
        let burst = (rate / 10.0).max(1.0);
        Self {
            bucket: Bucket {
                rate,
                burst,
                tokens: burst,
                filled: now,
            },
            urgent: VecDeque::new(),
            ordinary: VecDeque::new(),
        }
    }

    /// Queues a client.
    pub(super) fn push(&mut self, client: T, precedence: Precedence) {
        match precedence {
            Precedence::Urgent => self.urgent.push_back(client),
            Precedence::Ordinary => self.ordinary.push_back(client),
        }
    }

    /// Moves those of the ordinary queue to the urgent one for whom `urgent` says so: a kill came while they waited.
    pub(super) fn promote(&mut self, urgent: impl Fn(&T) -> bool) {
        let (first, rest) = std::mem::take(&mut self.ordinary).into_iter().partition(urgent);
        self.ordinary = rest;
        let mut first: VecDeque<T> = first;
        self.urgent.append(&mut first);
    }

    /// The next client to let in now. Its cost is paid with [`AdmissionQueue::pay`].
    pub(super) fn next(&mut self, now: Instant) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        self.bucket.fill(now);
        if self.bucket.tokens < 1.0 {
            return None;
        }
        self.urgent.pop_front().or_else(|| self.ordinary.pop_front())
    }

    /// Pays for a payload of `bytes`: one token for each 64 KiB begun, so that large snapshots are spread wider. The bucket
    /// may go into debt by one payload.
    pub(super) fn pay(&mut self, bytes: usize) {
        let tokens = u32::try_from(bytes / (64 * 1024)).unwrap_or(u32::MAX);
        self.bucket.tokens -= 1.0 + f64::from(tokens);
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.ordinary.is_empty()
    }

    /// How long until the next can be let in; zero where one can be at once.
    pub(super) fn delay(&mut self, now: Instant) -> Duration {
        self.bucket.fill(now);
        let missing = 1.0 - self.bucket.tokens;
        if missing <= 0.0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64((missing / self.bucket.rate).min(60.0))
        }
    }
}

#[cfg(test)]
mod tests;
