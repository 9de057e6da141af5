//! What this node remembers of deliveries: which signed ones it has taken, and when level signals were last told.
//!
//! It spares work and answers a replay as what it is. That nothing is done twice does not hang on it: that is decided on the
//! records, over all nodes and restarts.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use ripcord_proto::digest::Digest;
use ripcord_proto::trigger::{HookName, Trigger};

/// Deliveries that are remembered, at most; the oldest go first.
const MOST: usize = 50_000;

/// What this node remembers.
#[derive(Debug, Default)]
pub(super) struct Seen {
    deliveries: Mutex<BTreeMap<Digest, Timestamp>>,
    told: Mutex<BTreeMap<HookName, Timestamp>>,
}

/// Whether a delivery was taken before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It is new.
    New,
    /// It was taken.
    Taken,
}

impl Seen {
    /// Takes a signed delivery at `now`.
    pub(super) fn take(&self, digest: Digest, now: Timestamp) -> Known {
        let mut deliveries = self.deliveries.lock();
        // A delivery is good for one window before and one after the time that it was signed at.
        let window = SignedDuration::from_secs(2 * Trigger::REPLAY_WINDOW_SECONDS);
        if deliveries.get(&digest).is_some_and(|at| now.duration_since(*at) <= window) {
            return Known::Taken;
        }
        if deliveries.len() >= MOST {
            deliveries.retain(|_, at| now.duration_since(*at) <= window);
        }
        if deliveries.len() >= MOST {
            let oldest = deliveries.iter().min_by_key(|(_, at)| **at).map(|(digest, _)| *digest);
            oldest.map(|digest| deliveries.remove(&digest));
        }
        deliveries.insert(digest, now);
        Known::New
    }

    /// Forgets a delivery that came to nothing through a fault of this node: it may be sent again.
    pub(super) fn forget(&self, digest: &Digest) {
        self.deliveries.lock().remove(digest);
    }

    /// Whether a signal that tells how things are at a time is older than one that was told before.
    pub(super) fn is_overtaken(&self, hook: &HookName, at: Timestamp) -> bool {
        let mut told = self.told.lock();
        match told.get_mut(hook) {
            Some(last) if *last > at => true,
            Some(last) => {
                *last = at;
                false
            }
            None => {
                told.insert(hook.clone(), at);
                false
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
        let seen = Seen::default();
        let digest = Digest::of([b"delivery".as_slice()]);
        assert_eq!(seen.take(digest, at(0)), Known::New);
        assert_eq!(seen.take(digest, at(600)), Known::Taken);
        assert_eq!(seen.take(digest, at(601)), Known::New);
        seen.forget(&digest);
        assert_eq!(seen.take(digest, at(601)), Known::New);
    }

    #[test]
    fn a_level_that_was_overtaken_is_told_from_the_newest() {
        let seen = Seen::default();
        let hook: HookName = "production.error-rate".parse().unwrap();
        assert!(!seen.is_overtaken(&hook, at(10)));
        assert!(seen.is_overtaken(&hook, at(9)));
        assert!(!seen.is_overtaken(&hook, at(10)));
    }
}
