//! The queue for first payloads. A reconnect storm is admitted at a bounded rate, clients that lack an urgent revision first. Pure: time
//! is passed in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The queue of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precedence {
    /// The client lacks a kill or rollback.
    Urgent,
    /// The client is behind.
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

/// The waiting clients, first in first out within each precedence.
#[derive(Debug)]
pub(super) struct AdmissionQueue<T> {
    bucket: Bucket,
    urgent: VecDeque<T>,
    ordinary: VecDeque<T>,
}

impl<T> AdmissionQueue<T> {
    /// Admits `rate` clients per second, up to a tenth of that at once.
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

    /// Moves ordinary clients for which `urgent` holds to the urgent queue: a kill came while they waited.
    pub(super) fn promote(&mut self, urgent: impl Fn(&T) -> bool) {
        let (first, rest) = std::mem::take(&mut self.ordinary).into_iter().partition(urgent);
        self.ordinary = rest;
        let mut first: VecDeque<T> = first;
        self.urgent.append(&mut first);
    }

    /// The next client to admit now. Pay its cost with [`AdmissionQueue::pay`].
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

    /// Pays for a payload of `bytes`: one token per 64 KiB begun, so that large snapshots are spread out more. The bucket may go into
    /// debt by one payload.
    pub(super) fn pay(&mut self, bytes: usize) {
        let tokens = u32::try_from(bytes / (64 * 1024)).unwrap_or(u32::MAX);
        self.bucket.tokens -= 1.0 + f64::from(tokens);
    }

    /// Whether no client waits.
    pub(super) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.ordinary.is_empty()
    }

    /// How long until the next client can be admitted; zero if one can be now.
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
