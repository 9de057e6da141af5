//! Three ways to recognise a delivery that is not new.
//!
//! [`ReplayCache`] recognises signed deliveries that were taken before, [`InFlight`] lets one delivery of an alert proceed at a time, and
//! [`RepeatCounts`] counts the others, to be written every few seconds: a storm makes a handful of commits, not one for each delivery.
//! All of this only saves work. That nothing is done twice is decided on the records, over all nodes and restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use ripcord_proto::FiringId;
use ripcord_proto::digest::Digest;
use ripcord_proto::trigger::{HookName, Trigger};

/// Deliveries that are remembered, at most; the oldest go first.
const REMEMBERED: usize = 50_000;

/// What this node remembers.
#[derive(Debug, Default)]
pub(super) struct ReplayCache {
    deliveries: Mutex<BTreeMap<Digest, Timestamp>>,
    newest: Mutex<BTreeMap<HookName, Timestamp>>,
}

/// Whether a delivery was taken before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Novelty {
    /// It is new.
    New,
    /// It was taken.
    Duplicate,
}

impl ReplayCache {
    /// Takes a signed delivery at `now`.
    pub(super) fn take(&self, digest: Digest, now: Timestamp) -> Novelty {
        let mut deliveries = self.deliveries.lock();
        // A delivery is good for one window before and one after the time that it was signed at.
        let window = SignedDuration::from_secs(2 * Trigger::REPLAY_WINDOW_SECONDS);
        if deliveries.get(&digest).is_some_and(|at| now.duration_since(*at) <= window) {
            return Novelty::Duplicate;
        }
        if deliveries.len() >= REMEMBERED {
            deliveries.retain(|_, at| now.duration_since(*at) <= window);
        }
        if deliveries.len() >= REMEMBERED {
            let oldest = deliveries.iter().min_by_key(|(_, at)| **at).map(|(digest, _)| *digest);
            oldest.map(|digest| deliveries.remove(&digest));
        }
        deliveries.insert(digest, now);
        Novelty::New
    }

    /// Forgets a delivery that came to nothing through a fault of this node: it may be sent again.
    pub(super) fn forget(&self, digest: &Digest) {
        self.deliveries.lock().remove(digest);
    }

    /// Whether a signal about a state is older than one that was received before.
    pub(super) fn is_overtaken(&self, hook: &HookName, at: Timestamp) -> bool {
        let mut newest = self.newest.lock();
        match newest.get_mut(hook) {
            Some(last) if *last > at => true,
            Some(last) => {
                *last = at;
                false
            }
            None => {
                newest.insert(hook.clone(), at);
                false
            }
        }
    }
}

/// Incidents that are being dealt with, at most.
const IN_FLIGHT: usize = 10_000;

type Incidents = Arc<Mutex<BTreeSet<(HookName, String)>>>;

/// The incidents that are being dealt with here.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    incidents: Incidents,
}

/// The right to deal with an incident; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct InFlightGuard {
    incidents: Incidents,
    activation: (HookName, String),
}

/// Why there is no turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InFlightError {
    /// It is being dealt with.
    AlreadyRunning,
    /// Too many others are.
    TooMany,
}

impl InFlight {
    /// The turn to deal with the incident of a group.
    pub(super) fn take(&self, hook: HookName, group: &str) -> Result<InFlightGuard, InFlightError> {
        let mut incidents = self.incidents.lock();
        let activation = (hook, group.to_owned());
        if incidents.contains(&activation) {
            return Err(InFlightError::AlreadyRunning);
        }
        if incidents.len() >= IN_FLIGHT {
            return Err(InFlightError::TooMany);
        }
        incidents.insert(activation.clone());
        Ok(InFlightGuard {
            incidents: Arc::clone(&self.incidents),
            activation,
        })
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.incidents.lock().remove(&self.activation);
    }
}

/// Repeats by firing that are not in its record yet.
#[derive(Debug, Default)]
pub(super) struct RepeatCounts {
    counts: Mutex<BTreeMap<FiringId, u64>>,
}

/// Whether what was counted will be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RepeatFlush {
    /// The first of a series: its caller records it.
    Needed,
    /// It has been arranged.
    Scheduled,
}

impl RepeatCounts {
    fn counts(&self) -> parking_lot::MutexGuard<'_, BTreeMap<FiringId, u64>> {
        self.counts.lock()
    }

    /// Counts one repeat.
    pub(super) fn add(&self, id: &FiringId) -> RepeatFlush {
        let mut counts = self.counts();
        if let Some(count) = counts.get_mut(id) {
            *count += 1;
            return RepeatFlush::Scheduled;
        }
        counts.insert(id.clone(), 1);
        RepeatFlush::Needed
    }

    /// What was counted and not written down.
    pub(super) fn unwritten(&self, id: &FiringId) -> u64 {
        self.counts().get(id).copied().unwrap_or_default()
    }

    /// Takes `written` away: they are in the record now.
    pub(super) fn written(&self, id: &FiringId, written: u64) {
        let mut counts = self.counts();
        if let Some(count) = counts.get_mut(id) {
            *count = count.saturating_sub(written);
            if *count == 0 {
                counts.remove(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_764_000_000 + second).unwrap()
    }

    #[test]
    fn a_delivery_is_known_again_for_as_long_as_its_signature_holds() {
        let seen = ReplayCache::default();
        let digest = Digest::of([b"delivery".as_slice()]);
        assert_eq!(seen.take(digest, at(0)), Novelty::New);
        assert_eq!(seen.take(digest, at(600)), Novelty::Duplicate);
        assert_eq!(seen.take(digest, at(601)), Novelty::New);
        seen.forget(&digest);
        assert_eq!(seen.take(digest, at(601)), Novelty::New);
    }

    #[test]
    fn a_level_that_was_overtaken_is_told_from_the_newest() {
        let seen = ReplayCache::default();
        let hook: HookName = "production.error-rate".parse().unwrap();
        assert!(!seen.is_overtaken(&hook, at(10)));
        assert!(seen.is_overtaken(&hook, at(9)));
        assert!(!seen.is_overtaken(&hook, at(10)));
    }

    #[test]
    fn an_incident_is_dealt_with_once_at_a_time() {
        let in_flight = InFlight::default();
        let hook = || "production.error-rate".parse::<HookName>().unwrap();
        let guard = in_flight.take(hook(), "g").unwrap();
        assert_eq!(in_flight.take(hook(), "g").unwrap_err(), InFlightError::AlreadyRunning);
        let other = in_flight.take(hook(), "h").unwrap();
        drop(guard);
        drop(in_flight.take(hook(), "g").unwrap());
        drop(other);
    }
}
